//! Quiet hours: blocks wait, pressing lines do not.

/// From one minute of the local day to another, the end not included; over midnight where the end is
/// the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    from: u16,
    to: u16,
}

const DAY: u16 = 24 * 60;

impl Quiet {
    /// `None` where a minute is not of a day, or nothing lies between them.
    #[must_use]
    pub fn new(from: u16, to: u16) -> Option<Quiet> {
        (from < DAY && to < DAY && from != to).then_some(Quiet { from, to })
    }

    /// Reads `22:00-06:30`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Quiet> {
        let minute = |text: &str| {
            let (hours, minutes) = text.split_once(':')?;
            let number = |t: &str| {
                (t.len() == 2 && t.bytes().all(|c| c.is_ascii_digit()))
                    .then(|| t.parse::<u16>().ok())
                    .flatten()
            };
            let (hours, minutes) = (number(hours)?, number(minutes)?);
            (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
        };
        let (from, to) = text.split_once('-')?;
        Quiet::new(minute(from)?, minute(to)?)
    }

    #[must_use]
    pub fn covers(self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_run_over_midnight() {
        let night = Quiet::parse("22:00-06:30").unwrap();
        let noon = Quiet::parse("12:00-13:00").unwrap();
        for (minute, at_night, at_noon) in [
            (0, true, false),
            (389, true, false),
            (390, false, false),
            (720, false, true),
            (779, false, true),
            (780, false, false),
            (1319, false, false),
            (1320, true, false),
            (1439, true, false),
        ] {
            assert_eq!(
                (night.covers(minute), noon.covers(minute)),
                (at_night, at_noon),
                "{minute}"
            );
        }
        let minutes = |quiet: Quiet| (0..DAY).filter(|m| quiet.covers(*m)).count();
        assert_eq!((minutes(night), minutes(noon)), (510, 60));
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for bad in [
            "",
            "22:00",
            "22-06",
            "24:00-06:00",
            "2:00-6:00",
            "06:00-06:00",
            "06:60-07:00",
            "+1:00-02:00",
        ] {
            assert_eq!(Quiet::parse(bad), None, "{bad}");
        }
    }
}
