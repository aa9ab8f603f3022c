//! The page on a terminal, from 80 columns and 24 lines up; smaller ones get what fits.

use ghost_node::api::TopRow;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Cell, Clear, Paragraph, Row, Sparkline, Table, TableState};

use super::page::{Flow, Page, Sort};
use crate::commands::status::{bytes, span};
use crate::render::safe_text;

const HELP: &[&str] = &[
    "/        filter, in the language of `flows` (app:dns -src:10.0.0.1); Enter asks, Esc leaves",
    "s        sort the flows: bytes, packets, oldest, newest",
    "p Space  pause, and go on",
    "j k      choose a flow (arrows and PgUp, PgDn too)",
    "Enter    open the flow; Esc closes it",
    "? h      this help; any key closes it",
    "q Esc    quit",
];

/// Draws the whole page.
pub(super) fn draw(frame: &mut Frame<'_>, page: &Page) {
    let [head, rates, sums, flows, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(4),
        Constraint::Length(8),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_head(frame, head, page);
    match &page.opened {
        Some((flow, first)) => draw_flow(frame, rates.union(sums).union(flows), flow, *first),
        None => {
            draw_rates(frame, rates, page);
            draw_sums(frame, sums, page);
            draw_flows(frame, flows, page);
        }
    }
    frame.render_widget(Paragraph::new(foot_of(page)), foot);
    if page.help {
        draw_help(frame);
    }
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, page: &Page) {
    let standing = &page.data.standing;
    let status = &standing.status;
    let ports = status.ports.iter().filter(|port| port.attached).count();
    let first = format!(
        "{}  {} on {ports} ports  up {}  {} in memory{}",
        safe_text(&standing.program),
        safe_text(&status.mode),
        span(standing.uptime_s),
        bytes(standing.memory_bytes),
        if page.paused { "  PAUSED" } else { "" }
    );
    let loss = &status.loss;
    let lost = loss.ring_frames + loss.queue_packets + loss.log_packets;
    let second = format!(
        "log line {}, durable to {}, index {} behind  {} flows open  {lost} packets lost",
        status.log.head, status.log.durable, status.index.behind, status.flows.open
    );
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Paragraph::new(vec![Line::styled(first, bold), second.into()]), area);
}

fn draw_rates(frame: &mut Frame<'_>, area: Rect, page: &Page) {
    let rates = &page.data.standing.rates;
    let series = &page.data.series;
    let shown: [(String, &[f64]); 4] = [
        (format!("{:.0} packets/s", rates.packets_per_s), &series.packets_per_s),
        (format!("{}/s", bytes(whole(rates.bytes_per_s))), &series.bytes_per_s),
        (format!("{:.0} events/s", rates.events_per_s), &series.events_per_s),
        (format!("{:.0} lost/s", rates.lost_per_s), &series.lost_per_s),
    ];
    let places = Layout::horizontal([Constraint::Ratio(1, 4); 4]).split(area);
    for ((title, values), place) in shown.iter().zip(places.iter()) {
        let room = usize::from(place.width.saturating_sub(2));
        let newest = values.get(values.len().saturating_sub(room)..).unwrap_or_default();
        let bars: Vec<u64> = newest.iter().map(|v| whole(*v)).collect();
        let block = Block::new().borders(Borders::ALL).title(title.as_str());
        frame.render_widget(Sparkline::default().block(block).data(&bars), *place);
    }
}

fn draw_sums(frame: &mut Frame<'_>, area: Rect, page: &Page) {
    let data = &page.data;
    let places =
        Layout::horizontal([Constraint::Fill(4), Constraint::Fill(3), Constraint::Fill(4)])
            .split(area);
    let over = format!("open and last {:.0} s", data.window_s);
    let shown = [
        (format!("talkers, {over}"), &data.talkers),
        ("applications".to_owned(), &data.applications),
        ("behaviours".to_owned(), &data.behaviours),
    ];
    for ((title, rows), place) in shown.into_iter().zip(places.iter()) {
        let block = Block::new().borders(Borders::ALL).title(title);
        let rows = rows.iter().map(sum_row);
        let widths = [Constraint::Min(4), Constraint::Length(5), Constraint::Length(7)];
        frame.render_widget(Table::new(rows, widths).block(block), *place);
    }
}

fn sum_row(row: &TopRow) -> Row<'static> {
    Row::new([safe_text(&row.name), format!("{:>5}", row.flows), right(&short(row.bytes), 7)])
}

/// Bytes in at most seven columns.
fn short(count: u64) -> String {
    bytes(count).replace([' ', 'i', 'B'], "")
}

fn right(text: &str, width: usize) -> String {
    format!("{text:>width$}")
}

fn draw_flows(frame: &mut Frame<'_>, area: Rect, page: &Page) {
    let by = match page.sort {
        Sort::Bytes => "bytes",
        Sort::Packets => "packets",
        Sort::Oldest => "oldest",
        Sort::Newest => "newest",
    };
    let filter = match page.filter() {
        "" => String::new(),
        filter => format!(", {}", safe_text(filter)),
    };
    let title = format!("{} live flows by {by}{filter}", page.flows.len());
    let block = Block::new().borders(Borders::TOP).title(title);
    let head = ["SOURCE", "TARGET", "PROTO", "APP", "    BYTES", "   PKTS", "NAME, BEHAVIOURS"];
    let widths = [
        Constraint::Min(15),
        Constraint::Min(15),
        Constraint::Length(5),
        Constraint::Length(7),
        Constraint::Length(9),
        Constraint::Length(7),
        Constraint::Min(12),
    ];
    let rows = page.flows.iter().map(|flow| {
        Row::new([
            Cell::from(flow.source.as_str()),
            Cell::from(flow.target.as_str()),
            Cell::from(flow.proto.as_str()),
            Cell::from(flow.app.as_str()),
            Cell::from(right(&bytes(flow.bytes), 9)),
            Cell::from(right(&flow.packets.to_string(), 7)),
            Cell::from(flow.note.as_str()),
        ])
    });
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let table = Table::new(rows, widths)
        .header(Row::new(head).style(bold))
        .block(block)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::default().with_selected(Some(page.selected));
    frame.render_stateful_widget(table, area, &mut state);
}

fn draw_flow(frame: &mut Frame<'_>, area: Rect, flow: &Flow, first: usize) {
    let title = format!("{} to {}", flow.source, flow.target);
    let block = Block::new().borders(Borders::TOP).title(title);
    let rows = flow
        .facts
        .iter()
        .skip(first)
        .map(|(path, value)| Row::new([path.as_str(), value.as_str()]));
    let widths = [Constraint::Length(28), Constraint::Min(20)];
    frame.render_widget(Table::new(rows, widths).block(block), area);
}

fn foot_of(page: &Page) -> String {
    if let Some(typed) = &page.typed {
        return format!("filter: {}_", safe_text(typed));
    }
    if !page.notice.is_empty() {
        return page.notice.clone();
    }
    match page.data.notes.first() {
        Some(note) => format!("? help  q quit   note: {}", safe_text(note)),
        None => "? help  / filter  s sort  p pause  Enter open  q quit".to_owned(),
    }
}

fn draw_help(frame: &mut Frame<'_>) {
    let area = frame.area();
    let height = u16::try_from(HELP.len()).unwrap_or(u16::MAX).saturating_add(2).min(area.height);
    let [_, middle, _] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(height), Constraint::Fill(1)])
            .areas(area);
    let lines: Vec<Line<'_>> = HELP.iter().map(|line| Line::from(*line)).collect();
    let block = Block::new().borders(Borders::ALL).title("keys");
    frame.render_widget(Clear, middle);
    frame.render_widget(Paragraph::new(lines).block(block), middle);
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, not negative")]
fn whole(rate: f64) -> u64 {
    rate.max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyModifiers};

    use super::super::page::tests::answer;
    use super::*;

    fn drawn(page: &Page, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, page)).unwrap();
        let buffer = terminal.backend().buffer();
        let lines = buffer.content().chunks(usize::from(width).max(1));
        lines.map(|l| l.iter().map(|c| c.symbol()).collect::<String>() + "\n").collect()
    }

    fn page() -> Page {
        let mut answer = answer(&[("a.example", 5_000), ("\u{1b}[2J", 7)]);
        answer.standing.program = "ghostbridge 9".to_owned();
        answer.standing.rates.packets_per_s = 12.0;
        answer.series.packets_per_s = (0..200).map(f64::from).collect();
        let row = |name: &str, bytes| TopRow { name: name.to_owned(), flows: 3, packets: 9, bytes };
        answer.talkers = vec![row("10.0.0.7", 4096)];
        answer.behaviours = vec![row("port_scan", 60)];
        Page::new("app:tls".to_owned(), answer)
    }

    #[test]
    fn all_of_it_stands_on_80_columns_and_24_lines() {
        let text = drawn(&page(), 80, 24);
        for words in [
            "ghostbridge 9",
            "12 packets/s",
            "talkers",
            "10.0.0.7",
            "4.0K",
            "port_scan",
            "2 live flows by bytes, app:tls",
            "10.0.0.1:40000",
            "a.example",
            "? help",
            "q quit",
        ] {
            assert!(text.contains(words), "{words:?} is not in\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn no_size_of_terminal_and_no_key_makes_it_fall() {
        for (width, height) in [(0, 0), (1, 1), (10, 3), (79, 23), (80, 24), (300, 90)] {
            let mut page = page();
            for key in ['j', '?', 'x', '/', 'a', '\n', 's', '\n', 'j', 'k', 'q', 'p'] {
                drawn(&page, width, height);
                let code = if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) };
                page.key(code, KeyModifiers::NONE);
            }
            drawn(&page, width, height);
        }
    }

    #[test]
    fn a_flow_that_was_opened_shows_its_facts_and_help_shows_the_keys() {
        let mut page = page();
        page.key(KeyCode::Enter, KeyModifiers::NONE);
        assert!(drawn(&page, 80, 24).contains("tls.sni"), "{}", drawn(&page, 80, 40));
        page.key(KeyCode::Esc, KeyModifiers::NONE);
        page.key(KeyCode::Char('?'), KeyModifiers::NONE);
        assert!(drawn(&page, 80, 24).contains("pause, and go on"));
    }
}
