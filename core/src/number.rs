//! Numbers as people read them.

/// Three significant digits: `0.0421`, `3.50·10⁻⁵`, `0`.
///
/// ```
/// use aliascope_core::number::compact;
/// assert_eq!(compact(0.04213), "0.0421");
/// assert_eq!(compact(3.4999e-5), "3.50·10⁻⁵");
/// assert_eq!(compact(-12_345.0), "−1.23·10⁴");
/// assert_eq!(compact(0.0), "0");
/// ```
pub fn compact(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return value.to_string();
    }
    let (mantissa, exponent) = split(value);
    let text = if (-3..3).contains(&exponent) {
        format!("{value:.*}", (2 - exponent) as usize)
    } else {
        format!("{mantissa}·{}", power_of_ten(exponent))
    };
    text.replace('-', "−")
}

/// A squared size, or, where it is not above what rounding leaves, that it is below that: `< 3.50·10⁻⁵`.
pub fn above(value: f64, rounding: f64) -> String {
    if value > 0.0 && value < rounding { format!("< {}", compact(rounding)) } else { compact(value) }
}

/// A share with so many decimals: `13.5 %`, `−0.4 %`; what rounds to 0 has no sign.
pub fn percent(share: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$} %", 100.0 * share);
    let is_zero = !text.contains(|c: char| c.is_ascii_digit() && c != '0');
    if is_zero { text.replace('-', "") } else { text.replace('-', "−") }
}

/// A time as people write it: `0.8 ms`, `86 ms`, `7.1 s`, `3 min 20 s`, `2 h 05 min`.
///
/// ```
/// use aliascope_core::number::seconds;
/// assert_eq!(seconds(0.0864), "86 ms");
/// assert_eq!(seconds(7.09), "7.1 s");
/// assert_eq!(seconds(200.4), "3 min 20 s");
/// assert_eq!(seconds(7500.0), "2 h 05 min");
/// ```
pub fn seconds(seconds: f64) -> String {
    if !seconds.is_finite() {
        return seconds.to_string();
    }
    match seconds {
        s if s < 0.009_95 => format!("{:.1} ms", 1e3 * s),
        s if s < 0.9995 => format!("{:.0} ms", 1e3 * s),
        s if s < 59.95 => format!("{s:.1} s"),
        s if s < 3599.5 => {
            let whole = s.round() as u64;
            format!("{} min {:02} s", whole / 60, whole % 60)
        }
        s => {
            let minutes = (s / 60.0).round() as u64;
            format!("{} h {:02} min", minutes / 60, minutes % 60)
        }
    }
}

/// The same of so many milliseconds.
pub fn milliseconds(milliseconds: f64) -> String {
    seconds(1e-3 * milliseconds)
}

/// `10⁻³`.
pub fn power_of_ten(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raise = |c: char| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize]);
    format!("10{}", exponent.to_string().chars().map(raise).collect::<String>())
}

/// The mantissa with two decimals and the exponent, after rounding: 9.996 is (`1.00`, 1).
fn split(value: f64) -> (String, i32) {
    let text = format!("{value:.2e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa.to_owned(), exponent.parse().unwrap_or(0)),
        None => (text, 0),
    }
}
