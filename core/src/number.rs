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

/// A share with so many decimals: `13.5 %`, `−0.4 %`; what rounds to 0 has no sign.
pub fn percent(share: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$} %", 100.0 * share);
    let is_zero = !text.contains(|c: char| c.is_ascii_digit() && c != '0');
    if is_zero { text.replace('-', "") } else { text.replace('-', "−") }
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
