//! The peer of `bench log`: SQLite with a write-ahead log, each transaction made durable.
//!
//! `FOLDER FILE GROUP MS`: the lines of FILE go into one table by their number, GROUP a transaction,
//! through one prepared statement; printed is how many a second. `synchronous=FULL`: in this mode a
//! commit returns when the write-ahead log was synced, which is what our `Log::sync` promises.
#![expect(clippy::print_stdout, reason = "the figure goes to stdout")]
#![expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, file, group, ms] = &args[..] else { return Err("FOLDER FILE GROUP MS".into()) };
    let text = std::fs::read_to_string(file)?;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (group, time) = (group.parse()?, Duration::from_millis(ms.parse()?));
    std::fs::create_dir_all(folder)?;
    println!("{:.1}", run(&Path::new(folder).join("events.db"), &lines, group, time)?);
    Ok(())
}

fn run(path: &Path, lines: &[&str], group: usize, time: Duration) -> rusqlite::Result<f64> {
    let mut database = Connection::open(path)?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.pragma_update(None, "synchronous", "full")?;
    database.execute_batch("CREATE TABLE events (seq INTEGER PRIMARY KEY, line BLOB NOT NULL)")?;
    let (mut at, mut count) = (0, 0_i64);
    let start = Instant::now();
    while start.elapsed() < time {
        if at + group > lines.len() {
            at = 0;
        }
        let transaction = database.transaction()?;
        {
            let sql = "INSERT INTO events (seq, line) VALUES (?1, ?2)";
            let mut insert = transaction.prepare_cached(sql)?;
            for line in &lines[at..at + group] {
                count += 1;
                insert.execute((count, line.as_bytes()))?;
            }
        }
        transaction.commit()?;
        at += group;
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let events = count as f64;
    Ok(events / start.elapsed().as_secs_f64())
}
