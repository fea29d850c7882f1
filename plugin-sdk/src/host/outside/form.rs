//! Forms as browsers and mailbox providers post them: `application/x-www-form-urlencoded`, and `multipart/form-data`
//! (RFC 7578).

/// The value of a field in parts that a boundary divides (RFC 2046 5.1.1). None where the parts are none.
pub(super) fn part_value(content_type: &str, body: &[u8], name: &str) -> Option<String> {
    let boundary = parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty())?;
    let delimiter = ["\r\n--", boundary].concat();
    // The first delimiter may begin the body: its line end is that of what is not there.
    let body = [b"\r\n", body].concat();
    let mut rest = behind(&body, delimiter.as_bytes())?.1;
    loop {
        // Behind the last there are two more hyphens.
        let inside = rest.strip_prefix(b"\r\n")?;
        let (part, next) = behind(inside, delimiter.as_bytes())?;
        // A part without any field begins with the empty line.
        let (head, value) = match part.strip_prefix(b"\r\n") {
            Some(value) => (&b""[..], value),
            None => behind(part, b"\r\n\r\n")?,
        };
        if is_named(head, name) {
            return String::from_utf8(value.to_vec()).ok();
        }
        rest = next;
    }
}

/// What is before and behind the first such octets.
fn behind<'a>(octets: &'a [u8], wanted: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = octets.windows(wanted.len()).position(|window| window == wanted)?;
    Some((&octets[..at], &octets[at + wanted.len()..]))
}

/// Whether `Content-Disposition` of a part says that name (RFC 7578 4.2).
fn is_named(head: &[u8], name: &str) -> bool {
    let head = String::from_utf8_lossy(head);
    let is_field = |(field, value): (&str, &str)| {
        field.eq_ignore_ascii_case("content-disposition") && parameter(value, "name") == Some(name)
    };
    head.split("\r\n").filter_map(|line| line.split_once(':')).any(is_field)
}

/// A parameter of a field's value, without its quotation marks. Escapes are none: browsers write `%22` (RFC 7578 4.2).
fn parameter<'a>(value: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (name, behind) = rest.split_once('=')?;
        let name = name.trim();
        let (value, behind) = match behind.trim_start().strip_prefix('"') {
            Some(quoted) => {
                let (value, behind) = quoted.split_once('"')?;
                (value, behind.split_once(';').map(|(_, behind)| behind))
            }
            None => match behind.split_once(';') {
                Some((value, behind)) => (value.trim(), Some(behind)),
                None => (behind.trim(), None),
            },
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = behind?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TYPE: &str = "multipart/form-data; charset=utf-8; boundary=\"x y\"";

    #[test]
    fn the_parts_of_a_form_are_found_by_their_names_rfc7578_4_2() {
        let body = b"--x y\r\nContent-Disposition: form-data; name=\"a;b\"\r\n\r\none\r\ntwo\r\n\
            --x y\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; name=List-Unsubscribe\r\n\r\nOne-Click\r\n\
            --x y\r\n\r\nnameless\r\n--x y--\r\nbehind";
        let value = |name| part_value(TYPE, body, name);
        assert_eq!(value("List-Unsubscribe").as_deref(), Some("One-Click"));
        assert_eq!((value("a;b").as_deref(), value("a"), value("")), (Some("one\r\ntwo"), None, None));
    }

    #[test]
    fn what_is_no_form_has_no_values_rfc2046_5_1() {
        for (content_type, body) in [
            ("multipart/form-data", &b"--x\r\n"[..]),
            ("multipart/form-data; boundary=\"\"", b"--\r\n\r\na\r\n----"),
            ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nno end"),
            ("multipart/form-data; boundary=x", b"--x--\r\n"),
            ("multipart/form-data; boundary=\"x", b""),
            ("multipart/form-data; boundary=x", b"--xContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--"),
        ] {
            assert_eq!(part_value(content_type, body, "a"), None, "{content_type} {body:?}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(content_type in ".*", body: Vec<u8>, text in "[-x\r\n:;=\"a]*") {
            drop(part_value(&content_type, &body, "a"));
            drop(part_value("multipart/form-data; boundary=x", text.as_bytes(), "a"));
        }

        #[test]
        fn what_a_browser_posts_is_read_again(value in "[a-z\r\n-]{0,20}", boundary in "[A-Za-z0-9]{10,30}") {
            let body = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"v\"\r\n\r\n{value}\r\n--{boundary}--\r\n");
            let content_type = format!("multipart/form-data; boundary={boundary}");
            prop_assert_eq!(part_value(&content_type, body.as_bytes(), "v"), Some(value));
        }
    }
}
