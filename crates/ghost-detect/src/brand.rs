//! Whose service a host name is: a closed table of well-known names.
//!
//! The longest known suffix decides (`meet.google.com` before `google.com`). The table tells a
//! kind of service to texts and filters; it does not judge, and a name that is not in it has no
//! brand.

use std::sync::LazyLock;

use hashbrown::HashMap;

/// A well-known service or maker.
#[derive(Debug, PartialEq, Eq)]
pub struct Brand {
    pub name: &'static str,
    /// `video streaming`, `messaging`, …: see [`crate::category`].
    pub category: &'static str,
    /// Domains that are the brand's, with all below them.
    pub suffixes: &'static [&'static str],
}

static BY_SUFFIX: LazyLock<HashMap<&'static str, &'static Brand>> = LazyLock::new(|| {
    BRANDS.iter().flat_map(|brand| brand.suffixes.iter().map(move |s| (*s, brand))).collect()
});

/// The brand of a host name, in any case, with or without port or final dot.
#[must_use]
pub fn of(host: &str) -> Option<&'static Brand> {
    let host = host.split(':').next().unwrap_or(host).trim_end_matches('.');
    if host.len() > 253 {
        return None;
    }
    let lower;
    let mut rest = if host.bytes().any(|b| b.is_ascii_uppercase()) {
        lower = host.to_ascii_lowercase();
        lower.as_str()
    } else {
        host
    };
    loop {
        if let Some(brand) = BY_SUFFIX.get(rest) {
            return Some(brand);
        }
        rest = rest.split_once('.')?.1;
    }
}

/// The brand of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Brand> {
    BRANDS.iter().find(|brand| brand.name == name)
}

const fn brand(
    name: &'static str,
    category: &'static str,
    suffixes: &'static [&'static str],
) -> Brand {
    Brand { name, category, suffixes }
}

/// Every brand.
pub static BRANDS: &[Brand] = &[
    brand("Netflix", "video streaming", &["netflix.com", "netflix.net", "nflxext.com", "nflximg.com", "nflximg.net", "nflxso.net", "nflxvideo.net", "nflxsearch.net"]),
    brand("YouTube", "video streaming", &["youtube.com", "youtu.be", "ytimg.com", "googlevideo.com", "youtube-nocookie.com", "youtubei.googleapis.com", "youtube.googleapis.com", "yt3.ggpht.com"]),
    brand("1kxun", "video streaming", &["1kxun.com", "1kxun.mobi", "kankan.1kxun.com"]),
    brand("iQIYI", "video streaming", &["iqiyi.com", "iqiyipic.com", "qiyi.com", "qiyipic.com", "71.am", "ppstream.com", "pps.tv"]),
    brand("Youku", "video streaming", &["youku.com", "ykimg.com"]),
    brand("Tudou", "video streaming", &["tudou.com"]),
    brand("Bilibili", "video streaming", &["bilibili.com", "bilivideo.com", "hdslb.com", "biliapi.net"]),
    brand("Hulu", "video streaming", &["hulu.com", "hulustream.com", "huluim.com"]),
    brand("Disney+", "video streaming", &["disneyplus.com", "disney-plus.net", "dssott.com", "bamgrid.com", "disneystreaming.com"]),
    brand("Prime Video", "video streaming", &["primevideo.com", "aiv-cdn.net", "aiv-delivery.net", "amazonvideo.com"]),
    brand("Max", "video streaming", &["hbomax.com", "max.com", "hbo.com", "hbogo.com", "hbonow.com"]),
    brand("Paramount+", "video streaming", &["paramountplus.com", "cbsi.video", "pplus.com"]),
    brand("Peacock", "video streaming", &["peacocktv.com"]),
    brand("Vimeo", "video streaming", &["vimeo.com", "vimeocdn.com"]),
    brand("Dailymotion", "video streaming", &["dailymotion.com", "dmcdn.net"]),
    brand("Twitch", "video streaming", &["twitch.tv", "ttvnw.net", "jtvnw.net", "twitchcdn.net"]),
    brand("Crunchyroll", "video streaming", &["crunchyroll.com", "vrv.co"]),
    brand("Plex", "video streaming", &["plex.tv", "plex.direct"]),
    brand("BBC iPlayer", "video streaming", &["bbc.co.uk", "bbci.co.uk", "bbc.com"]),
    brand("Sky", "video streaming", &["sky.com", "nowtv.com"]),
    brand("DAZN", "video streaming", &["dazn.com", "daznservices.com"]),
    brand("Tencent Video", "video streaming", &["v.qq.com", "video.qq.com"]),
    brand("Viki", "video streaming", &["viki.com", "viki.io"]),
    brand("Roku", "video streaming", &["roku.com", "rokutime.com"]),
    brand("Spotify", "music streaming", &["spotify.com", "scdn.co", "spotifycdn.com", "spotify.design", "pscdn.co", "spotifycdn.net", "audio-ak-spotify-com.akamaized.net"]),
    brand("Apple Music", "music streaming", &["music.apple.com", "audio.itunes.apple.com"]),
    brand("SoundCloud", "music streaming", &["soundcloud.com", "sndcdn.com"]),
    brand("Deezer", "music streaming", &["deezer.com", "dzcdn.net"]),
    brand("Tidal", "music streaming", &["tidal.com", "tidalhifi.com"]),
    brand("Pandora", "music streaming", &["pandora.com"]),
    brand("Last.fm", "music streaming", &["last.fm", "lastfm.com", "lastfm.freetls.fastly.net"]),
    brand("Tune In", "music streaming", &["tunein.com"]),
    brand("WhatsApp", "messaging", &["whatsapp.com", "whatsapp.net", "wa.me"]),
    brand("Signal", "messaging", &["signal.org", "whispersystems.org", "signal.art"]),
    brand("Telegram", "messaging", &["telegram.org", "telegram.me", "t.me", "telegram.dog", "tdesktop.com", "telesco.pe"]),
    brand("Discord", "messaging", &["discord.com", "discord.gg", "discordapp.com", "discordapp.net", "discord.media"]),
    brand("Slack", "messaging", &["slack.com", "slack-edge.com", "slack-msgs.com", "slackb.com", "slack-imgs.com"]),
    brand("LINE", "messaging", &["line.me", "line-apps.com", "line-cdn.net", "line-scdn.net", "naver.jp", "linecorp.com", "line.naver.jp"]),
    brand("WeChat", "messaging", &["wechat.com", "weixin.qq.com", "wx.qq.com", "wechatapp.com", "weixin.com"]),
    brand("QQ", "messaging", &["qq.com", "gtimg.com", "gtimg.cn", "qlogo.cn", "tencent.com"]),
    brand("Viber", "messaging", &["viber.com"]),
    brand("KakaoTalk", "messaging", &["kakao.com", "kakaocorp.com", "daum.net", "daumcdn.net"]),
    brand("Facebook Messenger", "messaging", &["messenger.com", "m.me", "edge-chat.facebook.com", "mqtt-mini.facebook.com", "mqtt.facebook.com", "edge-mqtt.facebook.com"]),
    brand("Threema", "messaging", &["threema.ch"]),
    brand("Wire", "messaging", &["wire.com"]),
    brand("Matrix", "messaging", &["matrix.org", "element.io", "vector.im"]),
    brand("Zalo", "messaging", &["zalo.me", "zaloapp.com", "zdn.vn"]),
    brand("Wickr", "messaging", &["wickr.com"]),
    brand("iMessage", "messaging", &["identity.ess.apple.com"]),
    brand("Zoom", "video call", &["zoom.us", "zoom.com", "zoomgov.com", "zoom.com.cn"]),
    brand("Microsoft Teams", "video call", &["teams.microsoft.com", "teams.live.com", "teams.cdn.office.net", "teams.cloud.microsoft", "teams.office.com"]),
    brand("Skype", "video call", &["skype.com", "skypeassets.com", "skype.net", "lync.com", "skypeforbusiness.com", "skypeecs-prod.trafficmanager.net", "trouter.io"]),
    brand("Google Meet", "video call", &["meet.google.com", "meetings.googleapis.com", "hangouts.google.com", "hangouts.googleapis.com"]),
    brand("Webex", "video call", &["webex.com", "wbx2.com", "ciscospark.com", "webexcontent.com"]),
    brand("GoToMeeting", "video call", &["gotomeeting.com", "goto.com", "logmein.com", "getgo.com"]),
    brand("Jitsi", "video call", &["jitsi.org", "jitsi.net", "meet.jit.si", "8x8.vc"]),
    brand("BlueJeans", "video call", &["bluejeans.com"]),
    brand("FaceTime", "video call", &["facetime.apple.com"]),
    brand("Facebook", "social network", &["facebook.com", "facebook.net", "fbcdn.net", "fb.com", "fbsbx.com", "fb.me", "tfbnw.net", "facebookmail.com"]),
    brand("Instagram", "social network", &["instagram.com", "cdninstagram.com", "ig.me"]),
    brand("Threads", "social network", &["threads.net"]),
    brand("X (Twitter)", "social network", &["twitter.com", "x.com", "twimg.com", "t.co"]),
    brand("TikTok", "social network", &["tiktok.com", "tiktokcdn.com", "tiktokv.com", "byteoversea.com", "ibytedtos.com", "muscdn.com", "musical.ly", "ttlivecdn.com"]),
    brand("Snapchat", "social network", &["snapchat.com", "sc-cdn.net", "snap-dev.net", "feelinsonice.com"]),
    brand("Reddit", "social network", &["reddit.com", "redd.it", "redditmedia.com", "redditstatic.com"]),
    brand("LinkedIn", "social network", &["linkedin.com", "licdn.com", "lnkd.in"]),
    brand("Pinterest", "social network", &["pinterest.com", "pinimg.com"]),
    brand("Tumblr", "social network", &["tumblr.com"]),
    brand("VK", "social network", &["vk.com", "vkontakte.ru", "userapi.com", "vk-cdn.net"]),
    brand("Weibo", "social network", &["weibo.com", "weibo.cn", "sina.com.cn", "sinaimg.cn", "sina.cn"]),
    brand("Mastodon", "social network", &["mastodon.social", "joinmastodon.org"]),
    brand("Bluesky", "social network", &["bsky.app", "bsky.social", "bsky.network"]),
    brand("Flickr", "social network", &["flickr.com", "staticflickr.com"]),
    brand("Google+", "social network", &["plus.google.com"]),
    brand("Meetup", "social network", &["meetup.com"]),
    brand("Quora", "social network", &["quora.com"]),
    brand("Dropbox", "cloud storage", &["dropbox.com", "dropboxusercontent.com", "dropboxstatic.com", "dropboxapi.com", "getdropbox.com", "db.tt"]),
    brand("Google Drive", "cloud storage", &["drive.google.com", "docs.google.com", "drive-thirdparty.googleusercontent.com", "drive.googleapis.com"]),
    brand("OneDrive", "cloud storage", &["onedrive.com", "onedrive.live.com", "1drv.com", "1drv.ms", "storage.live.com", "sharepoint.com", "sharepointonline.com", "livefilestore.com"]),
    brand("iCloud", "cloud storage", &["icloud.com", "icloud-content.com", "me.com", "apple-cloudkit.com"]),
    brand("Box", "cloud storage", &["box.com", "boxcdn.net", "box.net", "boxcloud.com"]),
    brand("MEGA", "cloud storage", &["mega.nz", "mega.co.nz", "mega.io"]),
    brand("WeTransfer", "cloud storage", &["wetransfer.com", "wetransfer.net"]),
    brand("Ubuntu One", "cloud storage", &["one.ubuntu.com", "login.ubuntu.com"]),
    brand("Nextcloud", "cloud storage", &["nextcloud.com"]),
    brand("MediaFire", "cloud storage", &["mediafire.com"]),
    brand("Windows Update", "software update", &["windowsupdate.com", "update.microsoft.com", "delivery.mp.microsoft.com", "download.windowsupdate.com", "do.dsp.mp.microsoft.com", "wustat.windows.com"]),
    brand("Apple Update", "software update", &["swcdn.apple.com", "swscan.apple.com", "swdist.apple.com", "updates.cdn-apple.com", "mesu.apple.com", "gdmf.apple.com", "appldnld.apple.com"]),
    brand("Debian", "software update", &["debian.org", "debian.net"]),
    brand("Ubuntu", "software update", &["ubuntu.com", "canonical.com", "snapcraft.io", "launchpad.net", "snapcraftcontent.com"]),
    brand("Fedora", "software update", &["fedoraproject.org"]),
    brand("Red Hat", "software update", &["redhat.com", "rhel.com"]),
    brand("CentOS", "software update", &["centos.org"]),
    brand("Arch Linux", "software update", &["archlinux.org"]),
    brand("openSUSE", "software update", &["opensuse.org", "suse.com"]),
    brand("Alpine Linux", "software update", &["alpinelinux.org"]),
    brand("Google Update", "software update", &["update.googleapis.com", "redirector.gvt1.com", "gvt1.com", "edgedl.me.gvt1.com", "dl.google.com"]),
    brand("Adobe Update", "software update", &["ardownload.adobe.com", "armmf.adobe.com"]),
    brand("Mozilla", "software update", &["mozilla.org", "mozilla.com", "mozilla.net", "firefox.com", "aus5.mozilla.org"]),
    brand("Google", "search", &["google.com", "google.de", "google.co.uk", "google.fr", "google.it", "google.es", "google.nl", "google.be", "google.ch", "google.at", "google.pl", "google.se", "google.ca", "google.com.au", "google.co.jp", "google.co.in", "google.com.br", "google.com.tw", "google.com.hk", "google.ru", "google.cz", "google.pt", "google.dk", "google.com.mx", "google.com.tr", "google.co.kr"]),
    brand("Google services", "cloud", &["googleapis.com", "gstatic.com", "googleusercontent.com", "ggpht.com", "1e100.net", "gvt2.com", "gvt3.com", "googlezip.net", "withgoogle.com", "clients1.google.com", "clients2.google.com", "clients3.google.com", "clients4.google.com", "clients5.google.com", "clients6.google.com", "mtalk.google.com", "android.clients.google.com", "accounts.google.com", "connectivitycheck.gstatic.com", "app-measurement.com"]),
    brand("Bing", "search", &["bing.com", "bing.net", "bingapis.com"]),
    brand("DuckDuckGo", "search", &["duckduckgo.com", "ddg.gg"]),
    brand("Yahoo", "search", &["yahoo.com", "yimg.com", "yahooapis.com", "yahoo.co.jp", "yahoodns.net"]),
    brand("Baidu", "search", &["baidu.com", "bdstatic.com", "bdimg.com", "baidustatic.com"]),
    brand("Yandex", "search", &["yandex.ru", "yandex.net", "yandex.com", "yastatic.net", "ya.ru"]),
    brand("Ecosia", "search", &["ecosia.org"]),
    brand("Startpage", "search", &["startpage.com"]),
    brand("Sogou", "search", &["sogou.com"]),
    brand("Naver", "search", &["naver.com", "naver.net", "pstatic.net"]),
    brand("Qwant", "search", &["qwant.com"]),
    brand("Gmail", "mail", &["gmail.com", "mail.google.com", "smtp.gmail.com", "imap.gmail.com", "pop.gmail.com", "googlemail.com"]),
    brand("Outlook", "mail", &["outlook.com", "outlook.office365.com", "outlook.office.com", "outlook.live.com", "hotmail.com", "smtp-mail.outlook.com", "protection.outlook.com"]),
    brand("Yahoo Mail", "mail", &["mail.yahoo.com", "smtp.mail.yahoo.com", "imap.mail.yahoo.com"]),
    brand("Proton", "mail", &["proton.me", "protonmail.com", "protonmail.ch", "pm.me"]),
    brand("Fastmail", "mail", &["fastmail.com", "messagingengine.com"]),
    brand("GMX", "mail", &["gmx.net", "gmx.com", "gmx.de", "web.de"]),
    brand("Zoho", "mail", &["zoho.com", "zohocdn.com"]),
    brand("Mailchimp", "mail", &["mailchimp.com", "list-manage.com"]),
    brand("SendGrid", "mail", &["sendgrid.net", "sendgrid.com"]),
    brand("Tutanota", "mail", &["tutanota.com", "tuta.com", "tuta.io"]),
    brand("AOL", "mail", &["aol.com"]),
    brand("Microsoft 365", "productivity", &["office.com", "office365.com", "office.net", "microsoftonline.com", "microsoftonline-p.com", "msocdn.com", "sfx.ms", "officeapps.live.com", "onenote.com", "msauth.net", "msftauth.net", "cloud.microsoft"]),
    brand("Google Workspace", "productivity", &["calendar.google.com", "keep.google.com", "chat.google.com", "workspace.google.com"]),
    brand("Notion", "productivity", &["notion.so", "notion.com"]),
    brand("Atlassian", "productivity", &["atlassian.com", "atlassian.net", "jira.com", "trello.com", "bitbucket.org"]),
    brand("Evernote", "productivity", &["evernote.com"]),
    brand("Salesforce", "productivity", &["salesforce.com", "force.com", "salesforceliveagent.com"]),
    brand("Grammarly", "productivity", &["grammarly.com", "grammarly.io"]),
    brand("Asana", "productivity", &["asana.com"]),
    brand("Figma", "productivity", &["figma.com"]),
    brand("Canva", "productivity", &["canva.com"]),
    brand("Adobe", "productivity", &["adobe.com", "adobe.io", "adobelogin.com", "typekit.net", "adobedtm.com"]),
    brand("Steam", "gaming", &["steampowered.com", "steamcommunity.com", "steamcontent.com", "steamstatic.com", "steamserver.net", "steamgames.com"]),
    brand("Epic Games", "gaming", &["epicgames.com", "unrealengine.com", "fortnite.com", "epicgames.dev"]),
    brand("Xbox Live", "gaming", &["xboxlive.com", "xbox.com", "xboxservices.com"]),
    brand("PlayStation Network", "gaming", &["playstation.net", "playstation.com", "sonyentertainmentnetwork.com"]),
    brand("Nintendo", "gaming", &["nintendo.net", "nintendo.com", "nintendowifi.net"]),
    brand("Roblox", "gaming", &["roblox.com", "rbxcdn.com"]),
    brand("Battle.net", "gaming", &["battle.net", "blizzard.com", "blzstatic.cn"]),
    brand("League of Legends", "gaming", &["riotgames.com", "leagueoflegends.com", "riotcdn.net"]),
    brand("Minecraft", "gaming", &["minecraft.net", "mojang.com", "minecraftservices.com", "spigotmc.org"]),
    brand("GeForce NOW", "gaming", &["nvidiagrid.net", "geforcenow.com", "geforce.com", "gfnpc.api.entitlement-prod.nvidiagrid.net"]),
    brand("Stadia", "gaming", &["stadia.google.com", "stadia.com"]),
    brand("EA", "gaming", &["ea.com", "origin.com", "easports.com"]),
    brand("Ubisoft", "gaming", &["ubisoft.com", "ubi.com"]),
    brand("Valorant", "gaming", &["playvalorant.com"]),
    brand("Supercell", "gaming", &["supercell.com", "supercell.net", "clashofclans.com"]),
    brand("Unity", "gaming", &["unity3d.com", "unity.com"]),
    brand("Zynga", "gaming", &["zynga.com"]),
    brand("Google Ads", "advertising", &["doubleclick.net", "googlesyndication.com", "googleadservices.com", "googletagservices.com", "adservice.google.com", "2mdn.net", "admob.com", "pagead2.googlesyndication.com"]),
    brand("Google Analytics", "advertising", &["google-analytics.com", "googletagmanager.com", "analytics.google.com"]),
    brand("Amazon Ads", "advertising", &["amazon-adsystem.com"]),
    brand("Criteo", "advertising", &["criteo.com", "criteo.net"]),
    brand("Xandr", "advertising", &["adnxs.com"]),
    brand("Taboola", "advertising", &["taboola.com"]),
    brand("Outbrain", "advertising", &["outbrain.com"]),
    brand("Scorecard Research", "advertising", &["scorecardresearch.com", "comscore.com"]),
    brand("Quantcast", "advertising", &["quantserve.com", "quantcast.com"]),
    brand("The Trade Desk", "advertising", &["adsrvr.org"]),
    brand("Rubicon", "advertising", &["rubiconproject.com"]),
    brand("PubMatic", "advertising", &["pubmatic.com"]),
    brand("OpenX", "advertising", &["openx.net"]),
    brand("AppsFlyer", "advertising", &["appsflyer.com"]),
    brand("Adjust", "advertising", &["adjust.com"]),
    brand("Branch", "advertising", &["branch.io", "app.link"]),
    brand("Chartbeat", "advertising", &["chartbeat.com", "chartbeat.net"]),
    brand("Hotjar", "advertising", &["hotjar.com"]),
    brand("Mixpanel", "advertising", &["mixpanel.com"]),
    brand("Segment", "advertising", &["segment.io", "segment.com"]),
    brand("InMobi", "advertising", &["inmobi.com"]),
    brand("AppLovin", "advertising", &["applovin.com", "applvn.com"]),
    brand("Akamai", "cdn", &["akamai.net", "akamaiedge.net", "akamaihd.net", "akamaized.net", "edgekey.net", "edgesuite.net", "akadns.net", "akamaitechnologies.com"]),
    brand("Cloudflare", "cdn", &["cloudflare.com", "cloudflare.net", "cloudflareinsights.com", "cdnjs.com", "workers.dev", "cloudflare-quic.com"]),
    brand("Fastly", "cdn", &["fastly.net", "fastly.com", "fastlylb.net"]),
    brand("CloudFront", "cdn", &["cloudfront.net"]),
    brand("jsDelivr", "cdn", &["jsdelivr.net"]),
    brand("unpkg", "cdn", &["unpkg.com"]),
    brand("jQuery", "cdn", &["jquery.com"]),
    brand("Bootstrap CDN", "cdn", &["bootstrapcdn.com"]),
    brand("Limelight", "cdn", &["llnwd.net", "llnw.net", "lldns.net"]),
    brand("StackPath", "cdn", &["stackpathcdn.com", "stackpathdns.com", "netdna-cdn.com", "maxcdn.com"]),
    brand("Edgecast", "cdn", &["edgecastcdn.net", "footprint.net"]),
    brand("ChinaNetCenter", "cdn", &["wscdns.com", "lxdns.com", "chinanetcenter.com", "wsdvs.com"]),
    brand("GitHub", "developer", &["github.com", "githubusercontent.com", "github.io", "githubassets.com", "githubapp.com", "ghcr.io"]),
    brand("GitLab", "developer", &["gitlab.com", "gitlab.io"]),
    brand("Docker Hub", "developer", &["docker.io", "docker.com"]),
    brand("npm", "developer", &["npmjs.org", "npmjs.com"]),
    brand("PyPI", "developer", &["pypi.org", "pythonhosted.org", "python.org"]),
    brand("crates.io", "developer", &["crates.io", "rust-lang.org"]),
    brand("Maven", "developer", &["maven.org", "maven.apache.org", "sonatype.org"]),
    brand("RubyGems", "developer", &["rubygems.org"]),
    brand("Stack Overflow", "developer", &["stackoverflow.com", "stackexchange.com", "sstatic.net"]),
    brand("Visual Studio", "developer", &["visualstudio.com", "vsassets.io", "vscode-cdn.net", "code.visualstudio.com", "nuget.org"]),
    brand("JetBrains", "developer", &["jetbrains.com"]),
    brand("SourceForge", "developer", &["sourceforge.net"]),
    brand("Sentry", "developer", &["sentry.io"]),
    brand("Go modules", "developer", &["golang.org", "go.dev"]),
    brand("ntop", "developer", &["ntop.org"]),
    brand("Wireshark", "developer", &["wireshark.org"]),
    brand("Hugging Face", "artificial intelligence", &["huggingface.co", "hf.co"]),
    brand("OpenAI", "artificial intelligence", &["openai.com", "chatgpt.com", "oaistatic.com", "oaiusercontent.com"]),
    brand("Anthropic", "artificial intelligence", &["anthropic.com", "claude.ai"]),
    brand("Gemini", "artificial intelligence", &["gemini.google.com", "bard.google.com", "generativelanguage.googleapis.com"]),
    brand("Microsoft Copilot", "artificial intelligence", &["copilot.microsoft.com"]),
    brand("Perplexity", "artificial intelligence", &["perplexity.ai"]),
    brand("DeepSeek", "artificial intelligence", &["deepseek.com"]),
    brand("NordVPN", "vpn", &["nordvpn.com", "nordcdn.com", "nord-apps.com"]),
    brand("ExpressVPN", "vpn", &["expressvpn.com", "expressapisv2.net"]),
    brand("Proton VPN", "vpn", &["protonvpn.com", "protonvpn.ch"]),
    brand("Mullvad", "vpn", &["mullvad.net"]),
    brand("Surfshark", "vpn", &["surfshark.com"]),
    brand("CyberGhost", "vpn", &["cyberghostvpn.com"]),
    brand("Private Internet Access", "vpn", &["privateinternetaccess.com", "piaservers.net"]),
    brand("TunnelBear", "vpn", &["tunnelbear.com"]),
    brand("Windscribe", "vpn", &["windscribe.com"]),
    brand("Tailscale", "vpn", &["tailscale.com", "tailscale.io", "ts.net"]),
    brand("ZeroTier", "vpn", &["zerotier.com"]),
    brand("Hotspot Shield", "vpn", &["hotspotshield.com", "hsselite.com"]),
    brand("Psiphon", "vpn", &["psiphon.ca", "psiphon3.com"]),
    brand("UltraSurf", "vpn", &["ultrasurf.us"]),
    brand("Cloudflare WARP", "vpn", &["cloudflareclient.com", "cloudflarewarp.com"]),
    brand("OpenVPN", "vpn", &["openvpn.net", "openvpn.com"]),
    brand("Cisco Secure Client", "vpn", &["anyconnect.cisco.com", "vpn.cisco.com"]),
    brand("Tor Project", "anonymity", &["torproject.org"]),
    brand("I2P", "anonymity", &["geti2p.net", "i2p2.de"]),
    brand("Google DNS", "encrypted dns", &["dns.google", "dns.google.com"]),
    brand("Cloudflare DNS", "encrypted dns", &["cloudflare-dns.com", "one.one.one.one", "mozilla.cloudflare-dns.com", "1dot1dot1dot1.cloudflare-dns.com"]),
    brand("Quad9", "encrypted dns", &["quad9.net"]),
    brand("AdGuard DNS", "encrypted dns", &["dns.adguard.com", "adguard-dns.com", "adguard-dns.io", "adguard.com"]),
    brand("NextDNS", "encrypted dns", &["nextdns.io"]),
    brand("OpenDNS", "encrypted dns", &["opendns.com", "umbrella.com", "doh.opendns.com"]),
    brand("CleanBrowsing", "encrypted dns", &["cleanbrowsing.org"]),
    brand("Mullvad DNS", "encrypted dns", &["doh.mullvad.net", "dns.mullvad.net"]),
    brand("Control D", "encrypted dns", &["controld.com"]),
    brand("AliDNS", "encrypted dns", &["alidns.com"]),
    brand("DNSPod", "encrypted dns", &["doh.pub", "dot.pub", "dns.pub"]),
    brand("LibreDNS", "encrypted dns", &["libredns.gr"]),
    brand("Amazon", "shopping", &["amazon.com", "amazon.de", "amazon.co.uk", "amazon.fr", "amazon.it", "amazon.es", "amazon.co.jp", "amazon.in", "media-amazon.com", "ssl-images-amazon.com", "images-amazon.com"]),
    brand("eBay", "shopping", &["ebay.com", "ebaystatic.com", "ebayimg.com", "ebay.de", "ebay.co.uk"]),
    brand("Alibaba", "shopping", &["alibaba.com", "aliexpress.com", "alicdn.com", "taobao.com", "tmall.com", "aliexpress.ru"]),
    brand("JD", "shopping", &["jd.com", "360buyimg.com"]),
    brand("Etsy", "shopping", &["etsy.com", "etsystatic.com"]),
    brand("Walmart", "shopping", &["walmart.com", "walmartimages.com"]),
    brand("Shopify", "shopping", &["shopify.com", "shopifycdn.com", "myshopify.com"]),
    brand("Zalando", "shopping", &["zalando.de", "zalando.com"]),
    brand("IKEA", "shopping", &["ikea.com"]),
    brand("Booking.com", "shopping", &["booking.com", "bstatic.com"]),
    brand("Airbnb", "shopping", &["airbnb.com", "muscache.com"]),
    brand("PayPal", "finance", &["paypal.com", "paypalobjects.com"]),
    brand("Stripe", "finance", &["stripe.com", "stripe.network"]),
    brand("Visa", "finance", &["visa.com"]),
    brand("Mastercard", "finance", &["mastercard.com"]),
    brand("Coinbase", "finance", &["coinbase.com"]),
    brand("Binance", "finance", &["binance.com"]),
    brand("Square", "finance", &["squareup.com"]),
    brand("Klarna", "finance", &["klarna.com"]),
    brand("Amazon Web Services", "cloud", &["amazonaws.com", "aws.amazon.com", "awsstatic.com", "awsdns.com", "awsglobalaccelerator.com"]),
    brand("Azure", "cloud", &["azure.com", "azure.net", "azureedge.net", "azurewebsites.net", "windows.net", "azurefd.net", "cloudapp.net", "trafficmanager.net", "cloudapp.azure.com", "azure-dns.com"]),
    brand("Google Cloud", "cloud", &["cloud.google.com", "appspot.com", "run.app", "cloudfunctions.net"]),
    brand("DigitalOcean", "cloud", &["digitalocean.com", "digitaloceanspaces.com"]),
    brand("Heroku", "cloud", &["heroku.com", "herokuapp.com"]),
    brand("Linode", "cloud", &["linode.com"]),
    brand("OVHcloud", "cloud", &["ovh.net", "ovh.com"]),
    brand("Hetzner", "cloud", &["hetzner.com", "hetzner.de", "your-server.de"]),
    brand("Oracle Cloud", "cloud", &["oraclecloud.com", "oracle.com"]),
    brand("Vercel", "cloud", &["vercel.app", "vercel.com"]),
    brand("Netlify", "cloud", &["netlify.app", "netlify.com"]),
    brand("IBM", "cloud", &["ibm.com", "softlayer.com"]),
    brand("Alibaba Cloud", "cloud", &["aliyun.com", "aliyuncs.com"]),
    brand("Apple", "device maker", &["apple.com", "aaplimg.com", "apple-dns.net", "cdn-apple.com", "mzstatic.com", "apple.news"]),
    brand("Apple Push", "device maker", &["push.apple.com", "push-apple.com.akadns.net"]),
    brand("Apple iTunes", "app store", &["itunes.apple.com", "itunes.com", "phobos.apple.com"]),
    brand("App Store", "app store", &["apps.apple.com", "ppq.apple.com"]),
    brand("Google Play", "app store", &["play.google.com", "play.googleapis.com", "play-fe.googleapis.com", "android.googleapis.com"]),
    brand("F-Droid", "app store", &["f-droid.org"]),
    brand("Microsoft Store", "app store", &["storeedgefd.dsx.mp.microsoft.com", "store-images.s-microsoft.com"]),
    brand("Microsoft", "device maker", &["microsoft.com", "msn.com", "live.com", "live.net", "msftncsi.com", "msftconnecttest.com", "s-microsoft.com", "windows.com", "microsoft.net", "msedge.net", "hotmail.net", "passport.net"]),
    brand("Samsung", "device maker", &["samsung.com", "samsungcloudsolution.com", "samsungosp.com", "samsungdm.com", "samsungelectronics.com", "samsungiotcloud.com"]),
    brand("Huawei", "device maker", &["huawei.com", "hicloud.com", "dbankcloud.com"]),
    brand("Xiaomi", "device maker", &["xiaomi.com", "miui.com", "mi.com", "xiaomi.net"]),
    brand("Dell", "device maker", &["dell.com"]),
    brand("HP", "device maker", &["hp.com", "hpconnected.com", "hpeprint.com"]),
    brand("Lenovo", "device maker", &["lenovo.com"]),
    brand("Sony", "device maker", &["sony.com", "sony.net"]),
    brand("LG", "device maker", &["lge.com", "lgtvsdp.com", "lgsmartad.com"]),
    brand("Canon", "device maker", &["canon.com"]),
    brand("Epson", "device maker", &["epson.com", "epsonconnect.com"]),
    brand("Brother", "device maker", &["brother.com"]),
    brand("Intel", "device maker", &["intel.com"]),
    brand("NVIDIA", "device maker", &["nvidia.com"]),
    brand("Nest", "smart home", &["nest.com", "dropcam.com", "nestlabs.com"]),
    brand("Ring", "smart home", &["ring.com"]),
    brand("Philips Hue", "smart home", &["meethue.com"]),
    brand("Tuya", "smart home", &["tuya.com", "tuyaus.com", "tuyaeu.com", "tuyacn.com"]),
    brand("Sonos", "smart home", &["sonos.com"]),
    brand("Amazon Alexa", "smart home", &["alexa.amazon.com", "avs-alexa-na.amazon.com", "alexa.com", "amazonalexa.com", "device-metrics-us.amazon.com"]),
    brand("Google Home", "smart home", &["googlehomefoyer-pa.googleapis.com", "chromecast.com", "cast.google.com"]),
    brand("TP-Link", "smart home", &["tplinkcloud.com", "tp-link.com", "tplinknbu.com"]),
    brand("Wyze", "smart home", &["wyzecam.com", "wyze.com"]),
    brand("Hikvision", "smart home", &["hikvision.com", "hik-connect.com", "hicloudcam.com"]),
    brand("Dahua", "smart home", &["dahuasecurity.com", "dahuap2p.com"]),
    brand("Ubiquiti", "smart home", &["ui.com", "ubnt.com"]),
    brand("Shelly", "smart home", &["shelly.cloud"]),
    brand("iRobot", "smart home", &["irobot.com", "irobotapi.com"]),
    brand("Kaspersky", "security", &["kaspersky.com", "kaspersky-labs.com"]),
    brand("McAfee", "security", &["mcafee.com", "trellix.com"]),
    brand("Symantec", "security", &["symantec.com", "norton.com", "symantecliveupdate.com", "nortonsecurity.com"]),
    brand("Avast", "security", &["avast.com", "avcdn.net", "avg.com"]),
    brand("ESET", "security", &["eset.com"]),
    brand("Bitdefender", "security", &["bitdefender.com", "bitdefender.net"]),
    brand("CrowdStrike", "security", &["crowdstrike.com", "cloudsink.net"]),
    brand("Sophos", "security", &["sophos.com", "sophosxl.net"]),
    brand("Malwarebytes", "security", &["malwarebytes.com", "mwbsys.com"]),
    brand("Fortinet", "security", &["fortinet.com", "fortiguard.com", "fortiguard.net"]),
    brand("Let's Encrypt", "certificates", &["letsencrypt.org", "lencr.org"]),
    brand("DigiCert", "certificates", &["digicert.com", "verisign.com", "thawte.com", "geotrust.com", "rapidssl.com", "symcb.com", "symcd.com"]),
    brand("Sectigo", "certificates", &["sectigo.com", "comodoca.com", "usertrust.com", "comodo.com"]),
    brand("GlobalSign", "certificates", &["globalsign.com", "globalsign.net"]),
    brand("Entrust", "certificates", &["entrust.net", "entrust.com"]),
    brand("Google Trust Services", "certificates", &["pki.goog"]),
    brand("GoDaddy", "certificates", &["godaddy.com"]),
    brand("TeamViewer", "remote desktop", &["teamviewer.com"]),
    brand("AnyDesk", "remote desktop", &["anydesk.com", "net.anydesk.com"]),
    brand("LogMeIn", "remote desktop", &["logmeinrescue.com", "logmeininc.com", "join.me"]),
    brand("RustDesk", "remote desktop", &["rustdesk.com"]),
    brand("Splashtop", "remote desktop", &["splashtop.com"]),
    brand("Citrix", "remote desktop", &["citrix.com", "citrixdata.com", "cloud.com"]),
    brand("Chrome Remote Desktop", "remote desktop", &["remotedesktop.google.com", "remotedesktop-pa.googleapis.com"]),
    brand("Google Maps", "maps", &["maps.google.com", "maps.googleapis.com", "maps.gstatic.com"]),
    brand("OpenStreetMap", "maps", &["openstreetmap.org"]),
    brand("Waze", "maps", &["waze.com"]),
    brand("Uber", "maps", &["uber.com"]),
    brand("HERE", "maps", &["here.com", "hereapi.com"]),
    brand("Wikipedia", "news", &["wikipedia.org", "wikimedia.org", "wikidata.org"]),
    brand("CNN", "news", &["cnn.com", "cnn.io"]),
    brand("New York Times", "news", &["nytimes.com", "nyt.com"]),
    brand("Guardian", "news", &["theguardian.com", "guim.co.uk", "guardianapis.com"]),
    brand("Bloomberg", "news", &["bloomberg.com"]),
    brand("Reuters", "news", &["reuters.com"]),
    brand("Weather.com", "news", &["weather.com"]),
    brand("AccuWeather", "news", &["accuweather.com"]),
    brand("Medium", "news", &["medium.com"]),
    brand("WordPress", "news", &["wordpress.com", "wp.com", "wordpress.org", "gravatar.com"]),
    brand("NTP Pool", "time", &["ntp.org", "pool.ntp.org"]),
    brand("Apple Time", "time", &["time.apple.com", "time-ios.apple.com"]),
    brand("Windows Time", "time", &["time.windows.com"]),
    brand("Google Time", "time", &["time.google.com"]),
    brand("NIST Time", "time", &["time.nist.gov"]),
    brand("Firebase", "cloud", &["firebaseio.com", "firebase.google.com", "firebaseinstallations.googleapis.com", "fcm.googleapis.com", "crashlytics.com"]),
    brand("Instana", "developer", &["instana.io"]),
    brand("New Relic", "developer", &["newrelic.com", "nr-data.net"]),
    brand("Datadog", "developer", &["datadoghq.com", "datadoghq.eu"]),
    brand("Duolingo", "education", &["duolingo.com"]),
    brand("Coursera", "education", &["coursera.org"]),
    brand("Khan Academy", "education", &["khanacademy.org"]),
    brand("Bitcoin nodes", "cryptocurrency", &["bitcoin.org", "bitcoin.sipa.be", "bitcoinstats.com"]),
    brand("NiceHash", "cryptocurrency", &["nicehash.com"]),
    brand("Nanopool", "cryptocurrency", &["nanopool.org"]),
    brand("MineXMR", "cryptocurrency", &["minexmr.com"]),
    brand("SupportXMR", "cryptocurrency", &["supportxmr.com"]),
    brand("Ethermine", "cryptocurrency", &["ethermine.org"]),
    brand("F2Pool", "cryptocurrency", &["f2pool.com"]),
    brand("2Miners", "cryptocurrency", &["2miners.com"]),
    brand("MoneroOcean", "cryptocurrency", &["moneroocean.stream"]),
    brand("HashVault", "cryptocurrency", &["hashvault.pro"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn name(host: &str) -> &'static str {
        of(host).map_or("", |brand| brand.name)
    }

    #[test]
    fn the_longest_known_suffix_decides() {
        assert_eq!(name("meet.google.com"), "Google Meet");
        assert_eq!(name("www.google.com"), "Google");
        assert_eq!(name("rr4---sn-abc.googlevideo.com"), "YouTube");
        assert_eq!(name("WWW.NetFlix.com."), "Netflix");
        assert_eq!(name("teams.microsoft.com:443"), "Microsoft Teams");
        assert_eq!(name("notnetflix.com"), "");
        assert_eq!(name("com"), "");
        assert_eq!(name(""), "");
    }

    #[test]
    fn no_suffix_belongs_to_two_brands_and_all_are_lower_case() {
        let all: Vec<&str> = BRANDS.iter().flat_map(|b| b.suffixes).copied().collect();
        assert_eq!(BY_SUFFIX.len(), all.len(), "a suffix stands twice");
        assert!(all.iter().all(|s| *s == s.to_ascii_lowercase() && s.contains('.')));
        assert!(BRANDS.len() >= 150);
    }

    #[test]
    fn every_brand_has_a_category_of_the_closed_list() {
        for brand in BRANDS {
            assert!(crate::category::ALL.contains(&brand.category), "{}", brand.name);
        }
    }

    #[test]
    fn any_text_has_an_answer() {
        bolero::check!().with_iterations(2000).with_type::<String>().for_each(|host| {
            if let Some(brand) = of(host) {
                assert!(brand.suffixes.iter().any(|s| host.to_ascii_lowercase().contains(s)));
            }
        });
    }
}
