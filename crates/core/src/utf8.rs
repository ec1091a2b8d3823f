//! Positions at which UTF-8 text may be cut.

/// Returns the length of the UTF-8 character that begins with this byte; 1 if no character does.
fn length(first: u8) -> usize {
    match first.leading_ones() {
        2 => 2,
        3 => 3,
        4 => 4,
        _ => 1,
    }
}

/// Returns how many bytes of a UTF-8 character are before and after a cut; `(0, 0)` if the cut is not
/// inside a character.
///
/// In bytes that are not UTF-8 the result is `(0, 0)`. The function needs only the last three bytes
/// before the cut and the first three after it.
///
/// # Examples
///
/// ```
/// use procession::driver::core::split_character;
///
/// let text = "a€b".as_bytes();
/// assert_eq!(split_character(&text[..2], &text[2..]), (1, 2));
/// assert_eq!(split_character(&text[..1], &text[1..]), (0, 0));
/// assert_eq!(split_character(b"\xe2", b"b"), (0, 0));
/// ```
pub fn split_character(before: &[u8], after: &[u8]) -> (usize, usize) {
    let is_inside = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    for here in 1..=before.len().min(3) {
        let at = before.len() - here;
        if is_inside(before[at]) {
            continue;
        }
        let there = length(before[at]).saturating_sub(here);
        let mut whole = [0; 4];
        let (Some(rest), true) = (after.get(..there), there > 0) else { break };
        whole[..here].copy_from_slice(&before[at..]);
        whole[here..here + there].copy_from_slice(rest);
        let is_text = std::str::from_utf8(&whole[..here + there]).is_ok();
        return if is_text { (here, there) } else { (0, 0) };
    }
    (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_of_a_text_is_moved_to_a_character() {
        let text = "aé€😀zß";
        for cut in 0..=text.len() {
            let (before, after) = text.as_bytes().split_at(cut);
            let (here, there) = split_character(before, after);
            assert_eq!(here + there > 0, !text.is_char_boundary(cut), "{cut}");
            assert!(text.is_char_boundary(cut - here) && text.is_char_boundary(cut + there));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_cut_where_they_are() {
        for (before, after) in [
            (&b"\xff"[..], &b"\x80\x80"[..]),
            (b"\xc3", b"a"),
            (b"\xe2\x82", b""),
            (b"\xe0", b"\x80\x80"),
            (b"\x80\x80\x80\x80", b"\x80"),
            (b"", b"\x80"),
        ] {
            assert_eq!(split_character(before, after), (0, 0), "{before:?} {after:?}");
        }
    }
}
