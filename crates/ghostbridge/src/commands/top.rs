//! `top`: a page of the terminal that shows what passes, renewed every second.
//!
//! The daemon sums; here it is only shown. The terminal is given back as it was when the page ends:
//! by a key, by a signal, by the daemon's end and by a panic.

mod draw;
mod page;

use std::io::{self, IsTerminal};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use ghost_node::api::{Client, ClientError, TopAnswer};
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::cli::{Place, Top};
use crate::commands::memory::{daemon, unanswered};
use crate::host;
use crate::outcome::{Done, Failed};
use page::{Page, Wish};

/// How often the daemon is asked.
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// How often keys and signals are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs the command.
pub(crate) fn run(place: &Place, asked: &Top) -> Result<Done, Failed> {
    let Some(mut client) = daemon(place)? else {
        return Err(Failed::unreachable(format!(
            "no daemon writes the log of {}: `top` shows a running daemon's work; start one with \
             `ghostbridge run`",
            place.data().root().display()
        )));
    };
    let filter = asked.filters.join(" ");
    // A filter that is off is told before the terminal is taken.
    let first = client.top(&filter).map_err(unanswered)?;
    if !io::stdout().is_terminal() {
        return Err(Failed::usage(
            "`top` needs a terminal; `ghostbridge status` tells without one",
        ));
    }
    let stop = host::stop_flag()?;
    let mut page = Page::new(filter, first);
    let renewing = Renewing::start(client, page.filter().to_owned())?;
    // Restores the terminal before a panic's words, too.
    let mut terminal =
        ratatui::try_init().map_err(|e| Failed::new(format!("the terminal can't be used: {e}")))?;
    let shown = show(&mut terminal, &mut page, &renewing, &stop);
    ratatui::restore();
    shown.map_err(|e| Failed::new(format!("the terminal: {e}")))?;
    match page.ended() {
        Some(why) => Err(Failed::unreachable(why)),
        None => Ok(Done::Well),
    }
}

/// Until a key, a signal or the daemon ends it.
fn show(
    terminal: &mut ratatui::DefaultTerminal,
    page: &mut Page,
    renewing: &Renewing,
    stop: &std::sync::atomic::AtomicBool,
) -> io::Result<()> {
    let mut stale = true;
    loop {
        loop {
            match renewing.answers.try_recv() {
                Ok(Ok(answer)) => stale |= page.take(answer),
                Ok(Err(error)) => stale |= page.fail(&error),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Ok(()),
            }
        }
        if page.ended().is_some() || host::raised(stop) {
            return Ok(());
        }
        if std::mem::take(&mut stale) {
            terminal.draw(|frame| draw::draw(frame, page))?;
        }
        if !event::poll(LOOK_EVERY)? {
            continue;
        }
        match event::read()? {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                match page.key(key.code, key.modifiers) {
                    Wish::Quit => return Ok(()),
                    Wish::Ask(filter) => renewing.ask(filter),
                    Wish::Nothing => {}
                }
                stale = true;
            }
            Event::Resize(_, _) => stale = true,
            _ => {}
        }
    }
}

/// The thread that asks the daemon, so that a slow answer delays no key.
struct Renewing {
    filters: SyncSender<String>,
    answers: Receiver<Result<TopAnswer, ClientError>>,
}

impl Renewing {
    fn start(client: Client, filter: String) -> Result<Renewing, Failed> {
        let (filters, wanted) = sync_channel(8);
        let (tell, answers) = sync_channel(1);
        thread::Builder::new()
            .name("top".to_owned())
            .spawn(move || renew(client, filter, &wanted, &tell))
            .map_err(|e| Failed::new(format!("can't start a thread: {e}")))?;
        Ok(Renewing { filters, answers })
    }

    fn ask(&self, filter: String) {
        // Full where keys come faster than answers; the next one counts.
        drop(self.filters.try_send(filter));
    }
}

fn renew(
    mut client: Client,
    mut filter: String,
    wanted: &Receiver<String>,
    tell: &SyncSender<Result<TopAnswer, ClientError>>,
) {
    loop {
        match wanted.recv_timeout(RENEW_EVERY) {
            Ok(new) => filter = new,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if tell.send(client.top(&filter)).is_err() {
            return;
        }
    }
}
