//! Lists, arrays and objects: what is wrong in them, and where they end.

use serde_json::{Value, json};

use super::{LONGEST_LINE, TRACE, file, rollout, rollout_of, run};

const GOOD: &str = r#"{"id":"74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974","configurationState":"fail","lastStateUpdateDateTime":"2026-11-21T09:30Z"}"#;

/// What is said of a list whose next page is there.
fn goes_on(link: &str) -> String {
    format!("rollout: the list goes on, and its last page was not given: {link}\n")
}

/// A page without documents.
fn page(context: Option<&str>, next: Option<&str>) -> String {
    let mut page = json!({ "value": [] });
    if let Some(context) = context {
        page["@odata.context"] = context.into();
    }
    if let Some(next) = next {
        page["@odata.nextLink"] = next.into();
    }
    page.to_string()
}

#[test]
fn a_list_without_its_last_page_is_told_and_is_status_1() {
    let next = page(None, Some("https://x/2"));
    let ran = rollout_of(&next, &["--quiet"]);
    assert_eq!((ran.status, ran.err.as_str()), (1, goes_on("https://x/2").as_str()));
    assert!(ran.out.starts_with("{\"value\":"), "what was read is counted: {}", ran.out);
    let ran = rollout_of(next + &page(None, None), &["--quiet"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
}

#[test]
fn every_list_is_judged_by_itself() {
    let (a, b) = (Some("https://x/$metadata#a"), Some("https://x/$metadata#b"));
    let (to_a, to_b) = (Some("https://x/a?2"), Some("https://x/b?2"));
    let (a_goes_on, b_goes_on) = (goes_on("https://x/a?2"), goes_on("https://x/b?2"));
    for (name, pages, told) in [
        ("another list is complete", vec![page(a, to_a), page(b, None)], a_goes_on.clone()),
        ("and comes first", vec![page(b, None), page(a, to_a)], a_goes_on.clone()),
        ("both go on", vec![page(a, to_a), page(b, to_b)], format!("{a_goes_on}{b_goes_on}")),
        (
            "page by page",
            vec![page(a, to_a), page(b, to_b), page(a, None), page(b, None)],
            String::new(),
        ),
        ("one of them ends", vec![page(a, to_a), page(b, to_b), page(a, None)], b_goes_on),
        // Lists without a context are told apart by where they end.
        ("nameless, after a list", vec![page(None, None), page(None, to_a)], a_goes_on.clone()),
        ("nameless, with a name", vec![page(a, to_a), page(None, None)], a_goes_on),
        (
            "nameless, two lists",
            vec![page(None, to_a), page(None, None), page(None, to_b), page(None, None)],
            String::new(),
        ),
    ] {
        let status = i32::from(!told.is_empty());
        let ran = rollout_of(pages.concat(), &["--quiet"]);
        assert_eq!((ran.status, ran.err.as_str()), (status, told.as_str()), "{name}");

        // A page per file comes to the same.
        let file_of = |(index, page)| file(&format!("{name}-{index}.json"), page);
        let files: Vec<_> = pages.iter().enumerate().map(file_of).collect();
        let mut args = vec!["--quiet"];
        args.extend(files.iter().map(|file| file.to_str().expect("UTF-8")));
        let ran = run("rollout", &args);
        assert_eq!((ran.status, ran.err.as_str()), (status, told.as_str()), "{name}, in files");
    }
}

#[test]
fn a_list_that_goes_on_does_not_pass_a_gate_nor_hide_that_it_is_reached() {
    let next = format!(r#"{{"value":[{GOOD}],"@odata.nextLink":"https://x/2"}}"#);
    for (gate, status) in [("failed=5%,min=2", 1), ("failed=5%", 3)] {
        let ran = rollout_of(&next, &["--quiet", "--gate", gate]);
        assert_eq!((ran.status, ran.err), (status, goes_on("https://x/2")), "{gate}");
    }
}

#[test]
fn so_many_lists_that_go_on_that_they_cannot_be_kept_apart_are_status_2() {
    let pages = |count: usize| -> String {
        let context = |index: usize| format!("{index:032768}");
        (0..count).map(|index| page(Some(&context(index)), Some("https://x/2"))).collect()
    };
    assert_eq!(rollout_of(pages(20), &["--quiet"]).status, 1);
    let path = file("many-lists.json", pages(40));
    let path = path.to_str().expect("UTF-8");
    let ran = run("rollout", &[path]);
    assert_eq!((ran.status, ran.out.as_str()), (2, ""));
    let reason = "too many lists go on; give them one by one";
    assert_eq!(ran.err, format!("rollout: cannot read {path}: {reason}\n"));
}

#[test]
fn a_property_of_a_page_that_is_given_twice_is_refused_by_name_and_byte() {
    let other = GOOD.replace("74b9fcd8", "84b9fcd8");
    let cut = "; the rest of the file is not read";
    let long = "7,".repeat(100_000);
    for (input, counted, report) in [
        (
            format!(r#"{{"value":[{GOOD}],"value":[{other}]}}"#),
            1,
            "1: value at byte 131: given before; give it once",
        ),
        (
            format!("{{\"value\":[{GOOD}],\n\"\\u0076alue\":[{other}]}}\n{other}"),
            1,
            "2: value at byte 132: given before; give it once",
        ),
        (
            format!(r#"{{"value":[{GOOD}],"value":[{long}7]}}"#),
            1,
            "1: value at byte 131: given before; give it once",
        ),
        (
            format!("\u{feff}\n{{\"value\":null,\n\"value\":[{GOOD}]}}"),
            1,
            "3: value at byte 19: given before; give it once",
        ),
        (
            r#"{"@odata.nextLink":"x","value":[],"@odata.nextLink":null}"#.to_owned(),
            0,
            "1: @odata.nextLink at byte 34: given before; give it once",
        ),
    ] {
        let ran = rollout_of(&input, &["--quiet", "--devices"]);
        let shown = input.get(..300).unwrap_or(&input);
        assert_eq!(ran.err, format!("-:{report}{cut}\n"), "{shown}");
        assert_eq!(ran.status, 1, "{shown}");
        assert_eq!(ran.out.lines().count(), 1 + counted, "{shown}");
    }
    // What is not read is nobody's business, as with a document's properties.
    let input = format!(r#"{{"a":1,"a":{{"value":[],"value":[]}},"value":[{GOOD}],"a":2}}"#);
    let ran = rollout_of(input, &["--quiet"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
}

#[test]
fn bytes_of_a_line_count_from_its_start_also_behind_an_array() {
    for (input, report) in [
        (format!("[{GOOD}] x"), "1: byte 122: expected an object"),
        (format!("[\n{GOOD}\n] x\nx\n"), "3: byte 2: expected an object"),
        (r#"{"value":[]} x"#.to_owned(), "1: byte 13: expected an object"),
        (format!("[\n] [] x{GOOD}\n"), "2: byte 5: expected an object"),
        ("\u{feff}[] x".to_owned(), "1: byte 6: expected an object"),
        ("\u{feff}x".to_owned(), "1: byte 3: expected an object"),
    ] {
        let ran = rollout_of(&input, &["--quiet"]);
        assert_eq!(ran.status, 1, "{input:?}");
        assert_eq!(ran.err.lines().next(), Some(format!("-:{report}").as_str()), "{input:?}");
    }
}

#[test]
fn documents_that_are_spread_over_lines_are_taken() {
    let lines: Vec<_> = TRACE.lines().collect();
    let pretty = |line: &&str| {
        let document: Value = serde_json::from_str(line).expect("JSON");
        format!("{document:#}\n")
    };
    let expected = rollout(&["--users", "--devices"]).out;
    let (first, rest) = lines.split_at(3);
    let spread: String = lines.iter().map(pretty).collect();
    let begin: String = first.iter().map(pretty).collect();
    for (name, input) in [
        ("all", spread.clone()),
        ("all, CRLF", spread.replace('\n', "\r\n")),
        ("some, then lines", format!("\n{begin}{}", rest.join("\n"))),
        ("some, then an array", format!("{begin}[{}]", rest.join(","))),
        ("an array, then some", format!("[{}]\n{begin}", rest.join(","))),
    ] {
        let ran = rollout_of(&input, &["--users", "--devices"]);
        assert_eq!(ran.status, 0, "{name}: {}", ran.err);
        assert!(ran.out == expected, "{name}");
    }
}

#[test]
fn what_is_wrong_in_a_document_that_is_spread_over_lines_is_said_once() {
    let output = "x".repeat(2 * LONGEST_LINE);
    let cut = "; the rest of the file is not read";
    for (input, taken, reports) in [
        (
            format!("\n{{\n  \"id\": 7\n}}\n{GOOD}"),
            1,
            vec![
                "3: id at byte 11: expected a GUID such as 74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974"
                    .to_owned(),
            ],
        ),
        (
            format!("{{\n\"a\" 7\n}}\n{GOOD}"),
            1,
            vec!["2: byte 6: expected : after the property's name".to_owned()],
        ),
        (
            format!("{{\n\"configurationOutput\": \"{output}\"\n}}\n{GOOD}\nx"),
            1,
            vec![
                "1: longer than 1048576 bytes".to_owned(),
                "5: byte 0: expected an object".to_owned(),
            ],
        ),
        (
            "{\n\"id\": {},\n".to_owned(),
            0,
            vec![format!("3: byte 12: the document is cut off: it has no }}{cut}")],
        ),
        // A line that is cut off takes none of those that follow with it.
        (
            format!("{{\n{GOOD}\n"),
            1,
            vec!["1: byte 1: the document ends before its object does".to_owned()],
        ),
    ] {
        let ran = rollout_of(&input, &["--quiet", "--devices"]);
        let lines: Vec<_> = reports.iter().map(|report| format!("-:{report}")).collect();
        let shown = input.get(..200).unwrap_or(&input);
        assert_eq!(ran.err.lines().collect::<Vec<_>>(), lines, "{shown}");
        assert_eq!(ran.status, 1, "{shown}");
        assert_eq!(ran.out.lines().count(), 1 + taken, "{shown}");
    }
}

#[test]
fn what_is_wrong_in_an_array_is_named_by_line_and_byte_of_the_file() {
    let bad = "{\n\"id\": 7}";
    let long = format!("\"{}\"", "x".repeat(2 * LONGEST_LINE));
    let cut = "; the rest of the file is not read";
    for (input, taken, reports) in [
        (
            format!("[{GOOD},{bad},{GOOD}]"),
            2,
            vec!["2: element 2: id at byte 129: expected a GUID such as 74b9fcd8-fcd8-74b9-d8fc-b974d8fcb974".into()],
        ),
        (
            format!("\u{feff}[\n7,\n{GOOD}]"),
            1,
            vec!["2: element 1: byte 5: expected an object".into()],
        ),
        (format!("[{long},{GOOD}]"), 1, vec!["1: element 1: longer than 1048576 bytes".into()]),
        (
            format!("[{GOOD}"),
            1,
            vec![format!("1: byte 120: the array is cut off: it has no ]{cut}")],
        ),
        (
            format!("[{GOOD},"),
            1,
            vec![format!("1: byte 121: expected a value after the comma{cut}")],
        ),
        (
            format!("[{GOOD},]{GOOD}"),
            1,
            vec![format!("1: byte 121: expected a value after the comma{cut}")],
        ),
        (
            format!("[{GOOD}\n{GOOD}]"),
            1,
            vec![format!("2: byte 121: expected , or ] after an element{cut}")],
        ),
        ("[".into(), 0, vec![format!("1: byte 1: the array is cut off: it has no ]{cut}")]),
        (
            format!("[{GOOD},{{\"id\":"),
            1,
            vec![format!("1: byte 127: the array is cut off in the middle of an element{cut}")],
        ),
        (
            format!("{{\"value\":[{GOOD}]\n"),
            1,
            vec![format!("2: byte 131: the page is cut off: it has no }}{cut}")],
        ),
        (
            format!("{{\"value\":[{GOOD}]\n,,}}"),
            1,
            vec![format!(
                "2: byte 134: the page around its elements is no JSON: key must be a string at line 2 column 2{cut}"
            )],
        ),
        (format!("[]\n{GOOD}\n\nnonsense\n"), 1, vec!["4: byte 0: expected an object".into()]),
        // No page, so lines.
        (format!("{{\"value\":7}}\n{GOOD}"), 1, vec!["1: id is missing".into()]),
    ] {
        let ran = rollout_of(&input, &["--quiet", "--devices"]);
        let lines: Vec<_> = reports.iter().map(|report| format!("-:{report}")).collect();
        let shown = input.get(..200).unwrap_or(&input);
        assert_eq!(ran.err.lines().collect::<Vec<_>>(), lines, "{shown}");
        assert_eq!(ran.status, 1, "{shown}");
        assert_eq!(ran.out.lines().count(), 1 + usize::from(taken > 0), "{shown}");
    }
}
