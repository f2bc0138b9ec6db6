//! Times as brokers write them.

use crate::model::time::SECOND;
use crate::model::{Day, WallNanos};

/// Reads a time: `2021-05-31 09:18:57` means India, `2017-12-15T09:15:00+0530` says so.
///
/// Returns `None` for anything else, also for another offset: a time that is not understood is absent.
pub fn parse_time(text: &str) -> Option<WallNanos> {
    let (stamp, offset) = text.as_bytes().split_first_chunk::<19>()?;
    if !matches!(offset, b"" | b"+0530" | b"+05:30") {
        return None;
    }
    let &[
        a,
        b,
        c,
        d,
        b'-',
        e,
        f,
        b'-',
        g,
        h,
        b' ' | b'T',
        i,
        j,
        b':',
        k,
        l,
        b':',
        m,
        n,
    ] = stamp
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i16, |sum, byte| {
            let digit = byte.checked_sub(b'0').filter(|d| *d <= 9)?;
            sum.checked_mul(10)?.checked_add(i16::from(digit))
        })
    };
    let small = |tens: u8, ones: u8| number(&[tens, ones]).and_then(|n| i8::try_from(n).ok());
    let day = Day::from_ymd(number(&[a, b, c, d])?, small(e, f)?, small(g, h)?)?;
    let (hour, minute, second) = (small(i, j)?, small(k, l)?, small(m, n)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    Some(day.at(seconds * SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indian_time_becomes_utc_nanoseconds() {
        let expected = Some(WallNanos::from_secs(1_655_375_264)); // README of the fixtures
        assert_eq!(parse_time("2022-06-16 15:57:44"), expected);
        assert_eq!(parse_time("2022-06-16T15:57:44+0530"), expected);
        assert_eq!(parse_time("2022-06-16T15:57:44+05:30"), expected);
    }

    #[test]
    fn what_is_not_a_time_is_absent() {
        for text in [
            "",
            "09:16:39",
            "2022-06-16",
            "2022-13-16 15:57:44",
            "2022-02-29 15:57:44",
            "2022-06-16 24:00:00",
            "2022-06-16 15:60:00",
            "2022-06-16 15:57:4x",
            "2022-06-16T15:57:44Z",
            "२०२२-06-16 15:57",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
