//! Words or an example to an answer: understanding, search, ranking, reasons.
