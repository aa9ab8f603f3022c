//! `mutants`: bugs put in on purpose, each of which a test must catch.
//!
//! `tests/mutants.toml` and those of the crates say where each bug goes. It is put into a copy of the
//! sources, with a target folder of its own; only the named test is built, and its run must fail, and
//! name the seed where it goes by seeds.
//! Before that the same test must pass without any bug. What was found is written to
//! `docs/mutants.md`. The sources themselves are never touched.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

use crate::Done;
use crate::args::Args;
use crate::sh::{self, Outcome, command};

/// A bug that does not show in so many seeds has not been caught.
const SEEDS: &str = "2000";

/// Without a bug; the tests themselves try more.
const CONTROL_SEEDS: &str = "100";

/// One deliberate bug.
#[derive(Debug, Clone)]
struct Mutant {
    name: String,
    file: String,
    find: String,
    replace: String,
    why: String,
    /// The package and its test that must fail.
    package: String,
    test: String,
    /// Where to begin, for a bug that shows in few seeds.
    from: u64,
}

/// What became of a bug.
#[derive(Debug)]
struct Caught {
    /// The test that failed, and its seed where it has one.
    test: String,
    seed: Option<u64>,
    /// The first sentence that it said.
    said: String,
    build_s: f64,
    run_s: f64,
}

pub(crate) fn run(mut args: Args) -> Done {
    let only = args.value("--only")?;
    args.done()?;
    let mutants = all()?;
    for mutant in &mutants {
        mutant.apply(&sh::read(&sh::root().join(&mutant.file))?)?;
    }
    let chosen: Vec<&Mutant> = match &only {
        None => mutants.iter().collect(),
        Some(name) => mutants.iter().filter(|m| m.name == *name).collect(),
    };
    if chosen.is_empty() {
        return Err(format!("no mutant is called {:?}", only.unwrap_or_default()));
    }
    let place = Place::make()?;
    let start = Instant::now();
    let mut controls: Vec<(&str, &str)> = Vec::new();
    for mutant in &chosen {
        let test = (mutant.package.as_str(), mutant.test.as_str());
        if !controls.contains(&test) {
            place.control(test)?;
            controls.push(test);
        }
    }
    let mut rows = Vec::new();
    let mut missed = Vec::new();
    for mutant in chosen {
        let caught = place.try_out(mutant)?;
        match &caught {
            Some(c) => println!(
                "{:<38} caught by {}{}; built in {:.1} s, ran {:.1} s: {}",
                mutant.name,
                c.test,
                c.seed.map_or_else(String::new, |seed| format!(", GHOST_SEED={seed}")),
                c.build_s,
                c.run_s,
                c.said
            ),
            None => {
                println!("{:<38} NOT CAUGHT", mutant.name);
                missed.push(mutant.name.clone());
            }
        }
        rows.push((mutant, caught));
    }
    println!("{} mutants in {:.0} s", rows.len(), start.elapsed().as_secs_f64());
    if only.is_none() {
        sh::write(&sh::root().join("docs/mutants.md"), table(&rows))?;
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("not caught: {}", missed.join(", "))) }
}

/// Every list there is: the repository's, then those of its crates.
fn all() -> Outcome<Vec<Mutant>> {
    let crates = sh::root().join("crates");
    let folders = fs::read_dir(&crates).map_err(|e| format!("{}: {e}", crates.display()))?;
    let mut lists: Vec<PathBuf> =
        folders.filter_map(Result::ok).map(|e| e.path().join("tests/mutants.toml")).collect();
    lists.retain(|list| list.is_file());
    lists.sort();
    lists.insert(0, sh::root().join("tests/mutants.toml"));
    let mut mutants = Vec::new();
    for list in lists {
        read(&sh::read(&list)?, &mut mutants).map_err(|e| format!("{}: {e}", list.display()))?;
    }
    Ok(mutants)
}

/// Reads one list; every field but `package`, `test` and `from` must be there.
fn read(text: &str, mutants: &mut Vec<Mutant>) -> Done {
    let list: toml::Table = text.parse().map_err(|e| format!("{e}"))?;
    let entries = list.get("mutant").and_then(toml::Value::as_array);
    for (i, entry) in entries.ok_or("there is no [[mutant]]")?.iter().enumerate() {
        let field = |key: &str| entry.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        let must = |key: &str| field(key).ok_or_else(|| format!("mutant {} has no {key}", i + 1));
        let mutant = Mutant {
            name: must("name")?,
            file: must("file")?,
            find: must("find")?,
            replace: must("replace")?,
            why: must("why")?,
            package: field("package").unwrap_or_else(|| "ghost-block".to_owned()),
            test: field("test").unwrap_or_else(|| "sim_histories".to_owned()),
            from: entry
                .get("from")
                .and_then(toml::Value::as_integer)
                .and_then(|seed| u64::try_from(seed).ok())
                .unwrap_or(0),
        };
        if mutants.iter().any(|m| m.name == mutant.name) {
            return Err(format!("two mutants are called {}", mutant.name));
        }
        mutants.push(mutant);
    }
    Ok(())
}

impl Mutant {
    /// The file's text with the bug in it.
    fn apply(&self, text: &str) -> Outcome<String> {
        match text.matches(&self.find).count() {
            1 => Ok(text.replacen(&self.find, &self.replace, 1)),
            n => Err(format!(
                "mutant {}: its text occurs {n} times in {}, not once; adapt its entry",
                self.name, self.file
            )),
        }
    }
}

/// A copy of the sources, and what is built of it.
#[derive(Debug)]
struct Place {
    tree: PathBuf,
    target: PathBuf,
}

impl Place {
    fn make() -> Outcome<Place> {
        let folder = sh::target().join("mutants");
        let place = Place { tree: folder.join("tree"), target: folder.join("target") };
        let listed = sh::output(command("git").args([
            "ls-files",
            "-co",
            "--exclude-standard",
            "--deduplicate",
        ]))?;
        // Copied only where it differs, so that a second run builds little.
        let mut kept = Vec::new();
        for name in listed.lines().filter(|name| !name.ends_with(".pcap")) {
            let (from, to) = (sh::root().join(name), place.tree.join(name));
            let Ok(bytes) = fs::read(&from) else { continue };
            kept.push(to.clone());
            if fs::read(&to).is_ok_and(|old| old == bytes) {
                continue;
            }
            let above = to.parent().unwrap_or(&place.tree);
            fs::create_dir_all(above).map_err(|e| format!("{}: {e}", above.display()))?;
            // With its mode: some of them are programs.
            fs::copy(&from, &to).map_err(|e| format!("{}: {e}", to.display()))?;
        }
        remove_others(&place.tree, &kept)?;
        Ok(place)
    }

    /// The test must pass as long as there is no bug.
    fn control(&self, test: (&str, &str)) -> Done {
        let start = Instant::now();
        let program = self.build(test)?;
        let build_s = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let ran = self.ran(&program, CONTROL_SEEDS, 0)?;
        let run_s = start.elapsed().as_secs_f64();
        if !ran.ok() {
            return Err(format!(
                "{} of {} fails without any bug:\n{}{}",
                test.1, test.0, ran.stdout, ran.stderr
            ));
        }
        println!("{:<38} passes without a bug; built in {build_s:.1} s, ran {run_s:.1} s", test.1);
        Ok(())
    }

    fn try_out(&self, mutant: &Mutant) -> Outcome<Option<Caught>> {
        let path = self.tree.join(&mutant.file);
        let right = sh::read(&path)?;
        sh::write(&path, mutant.apply(&right)?)?;
        let tried = self.try_changed(mutant);
        sh::write(&path, right)?;
        tried
    }

    fn try_changed(&self, mutant: &Mutant) -> Outcome<Option<Caught>> {
        let start = Instant::now();
        let program = self
            .build((&mutant.package, &mutant.test))
            .map_err(|why| format!("mutant {} is no program: {why}", mutant.name))?;
        let build_s = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let ran = self.ran(&program, SEEDS, mutant.from)?;
        let run_s = start.elapsed().as_secs_f64();
        if ran.ok() {
            return Ok(None);
        }
        let told = story(&format!("{}\n{}", ran.stdout, ran.stderr));
        Ok(Some(Caught { build_s, run_s, ..told }))
    }

    fn build(&self, (package, test): (&str, &str)) -> Outcome<PathBuf> {
        let mut build = command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
        // Built many times and run for a moment each; dependencies are optimised as ever.
        build.env("CARGO_PROFILE_DEV_OPT_LEVEL", "0");
        build_test(&mut build, package, test)
    }

    fn ran(&self, program: &Path, seeds: &str, from: u64) -> Outcome<sh::Ran> {
        let mut test = command(program);
        test.env("GHOST_SEED_FROM", from.to_string()).env("RUST_BACKTRACE", "0");
        test.current_dir(&self.tree).env("GHOSTBRIDGE_SEEDS", seeds).env_remove("GHOST_SEED");
        // All at once: else the last kind of history begins when the first has ended.
        sh::capture(test.args(["--test-threads", "4"]))
    }
}

/// Builds one test; the path of its program.
pub(crate) fn build_test(cargo: &mut Command, package: &str, test: &str) -> Outcome<PathBuf> {
    cargo.args(["test", "--quiet", "--no-run", "--message-format=json"]);
    let built = sh::output(cargo.args(["--package", package, "--test", test]))?;
    let mut programs = built.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let ours = message["target"]["name"] == test;
        ours.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    programs.next_back().ok_or_else(|| format!("cargo built no {test} of {package}:\n{built}"))
}

/// Which test failed, the seed that it names, and the first line of why.
fn story(printed: &str) -> Caught {
    let lines: Vec<&str> = printed.lines().collect();
    let panicked = |line: &&str| line.contains("panicked at");
    let seeded = lines.iter().position(|l| l.contains("GHOST_SEED="));
    let of = match seeded {
        Some(at) => lines[..=at].iter().rposition(panicked),
        None => lines.iter().position(panicked),
    };
    let test = of.and_then(|at| lines[at].split('\'').nth(1)).unwrap_or("a test").to_owned();
    let (seed, said) = match seeded {
        Some(at) => {
            let after = lines[at].split("GHOST_SEED=").nth(1).unwrap_or_default();
            let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
            let said = lines[at].split_once("): ").or_else(|| lines[at].split_once(": "));
            (digits.parse().ok(), said.map_or(lines[at], |(_, said)| said))
        }
        None => (None, of.and_then(|at| lines.get(at + 1)).copied().unwrap_or("it failed")),
    };
    Caught { test, seed, said: said.trim().to_owned(), build_s: 0.0, run_s: 0.0 }
}

/// Removes files that the sources no longer have.
fn remove_others(folder: &Path, kept: &[PathBuf]) -> Done {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            remove_others(&path, kept)?;
        } else if !kept.contains(&path) {
            fs::remove_file(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    Ok(())
}

fn table(rows: &[(&Mutant, Option<Caught>)]) -> String {
    let mut text = String::from(
        "# Bugs put in on purpose\n\n\
         Written by `cargo xtask mutants`. Each bug of `tests/mutants.toml`, and of the files of that\n\
         name in the crates, is put into a copy of the sources; the test must fail that passes without\n\
         it. With the bug in, `GHOST_SEED=N cargo test -p ghost-block --test sim_histories` (`ship-…`:\n\
         `-p ghost-ship --test sim_worlds`) tells the same history again. Which of several seeds comes\n\
         first may differ from run to run.\n\n\
         | bug | what it breaks | caught by | seed | what the test says |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for (mutant, caught) in rows {
        let (by, seed, said) = match caught {
            None => ("**nothing**".to_owned(), String::new(), String::new()),
            Some(c) => {
                let seed = c.seed.map_or(String::new(), |seed| seed.to_string());
                (format!("`{}`: {}", mutant.test, cell(&c.test)), seed, cell(&c.said))
            }
        };
        let why = cell(&mutant.why);
        text.push_str(&format!("| {} | {why} | {by} | {seed} | {said} |\n", mutant.name));
    }
    text
}

/// A sentence as it may stand in a table.
fn cell(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = one_line.chars().take(160).collect();
    short.replace('|', "\\|").replace('<', "\\<")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "[[mutant]]\nname = \"a\"\nfile = \"f\"\nfind = \"x\"\nreplace = \"y\"\n\
                        why = \"because\"\n";

    fn of(text: &str) -> Outcome<Vec<Mutant>> {
        let mut mutants = Vec::new();
        read(text, &mut mutants).map(|()| mutants)
    }

    #[test]
    fn a_text_that_is_not_there_exactly_once_is_an_error() {
        let mutant = of(LIST).unwrap().remove(0);
        assert_eq!(mutant.apply("1 x 2").unwrap(), "1 y 2");
        assert!(mutant.apply("x x").unwrap_err().contains("2 times"));
        assert!(mutant.apply("").unwrap_err().contains("0 times"));
    }

    #[test]
    fn a_list_with_something_missing_or_twice_is_an_error() {
        assert!(of("").is_err());
        assert!(of(&LIST.replace("why", "how")).unwrap_err().contains("why"));
        assert!(of(&format!("{LIST}{LIST}")).unwrap_err().contains("two mutants"));
    }

    #[test]
    fn the_lists_of_the_repository_fit_its_sources() {
        let mutants = all().unwrap();
        assert!(mutants.iter().filter(|m| m.package == "ghost-block").count() >= 20);
        assert!(mutants.iter().filter(|m| m.package == "ghost-ship").count() >= 10);
        for mutant in mutants {
            mutant.apply(&sh::read(&sh::root().join(&mutant.file)).unwrap()).unwrap();
        }
    }

    #[test]
    fn the_test_the_seed_and_the_reason_are_found_in_what_is_printed() {
        let told = |printed| {
            let told = story(printed);
            (told.test, told.seed, told.said)
        };
        let seeded = "thread 'x::y' (7) panicked at a.rs:1:2:\n\
                      GHOST_SEED=42 (cargo test -p a: b): line 7 is gone: why\n";
        assert_eq!(told(seeded), ("x::y".into(), Some(42), "line 7 is gone: why".into()));
        let plain = "thread 'z' panicked at a.rs:1:2:\nindex out\n";
        assert_eq!(told(plain), ("z".into(), None, "index out".into()));
        assert_eq!(told("killed"), ("a test".into(), None, "it failed".into()));
    }
}
