use proptest::prelude::*;

use super::*;

const DAY: &str = "2026-06-02";

fn added(text: &str, pattern: &str) -> String {
    add_shared(text, pattern, None).unwrap().unwrap()
}

fn promoted(text: &str, pattern: &str) -> String {
    add_shared(text, pattern, Some(DAY)).unwrap().unwrap()
}

fn without(text: &str, pattern: &str) -> String {
    remove_shared(text, |s| s.pattern != pattern).unwrap().unwrap()
}

fn no(done: Result<Option<String>, BadDocument>) -> String {
    done.unwrap_err().to_string()
}

/// (before, pattern, after)
const ADDED: &[(&str, &str, &str)] = &[
    ("", "package.json", "shared_files:\n  - package.json\n"),
    ("# mine\n", "a", "# mine\nshared_files:\n  - a\n"),
    (
        "modules:\n  m:\n    paths: [x] # y",
        "a",
        "modules:\n  m:\n    paths: [x] # y\nshared_files:\n  - a\n",
    ),
    ("shared_files:\n", "a", "shared_files:\n  - a\n"),
    ("shared_files: # c\nx: 1\n", "a", "shared_files: # c\n  - a\nx: 1\n"),
    ("shared_files: []\nx: 1\n", "a", "shared_files:\n  - a\nx: 1\n"),
    ("shared_files: []  # c\n", "a", "shared_files:  # c\n  - a\n"),
    ("shared_files: ~", "a", "shared_files:\n  - a\n"),
    ("shared_files:\n- b\n", "a", "shared_files:\n- b\n- a\n"),
    ("shared_files:\n- b", "a", "shared_files:\n- b\n- a\n"),
    (
        "\"shared_files\":\n    - 'b'  # c\n",
        "**/a",
        "\"shared_files\":\n    - 'b'  # c\n    - '**/a'\n",
    ),
    ("shared_files:\r\n  - b\r\nx: 1\r\n", "a", "shared_files:\r\n  - b\r\n  - a\r\nx: 1\r\n"),
    // A blank line and a comment do not end the list.
    (
        "shared_files:\n  - b\n\n  # why\n  - c\n\n# next\nx: 1\n",
        "a",
        "shared_files:\n  - b\n\n  # why\n  - c\n  - a\n\n# next\nx: 1\n",
    ),
    ("shared_files: [b, 'c']  # d\n", "a", "shared_files: [b, 'c', a]  # d\n"),
    ("shared_files: [b, c, ]\n", "a", "shared_files: [b, c,  a]\n"),
    ("shared_files: [\n  b, # , c\n  ]\n", "a", "shared_files: [\n  b, # , c\n   a]\n"),
    ("shared_files:\n  - app/[id]\n", "a", "shared_files:\n  - app/[id]\n  - a\n"),
    ("  shared_files:\n    - b\n  x: 1\n", "a", "  shared_files:\n    - b\n    - a\n  x: 1\n"),
    ("  x: 1\n", "a", "  x: 1\n  shared_files:\n    - a\n"),
    ("x:\n  shared_files:\n    - b\n", "a", "x:\n  shared_files:\n    - b\nshared_files:\n  - a\n"),
];

#[test]
fn entries_are_added_where_they_belong() {
    for (before, pattern, after) in ADDED {
        assert_eq!(added(before, pattern), *after, "{before}");
        // Once is enough, in whatever spelling.
        assert_eq!(add_shared(after, pattern, None).unwrap(), None);
        assert_eq!(add_shared(after, &format!("./{pattern}"), Some(DAY)).unwrap(), None);
    }
}

#[test]
fn coords_own_entries_are_marked_and_go_without_a_trace() {
    for (before, pattern, after) in ADDED {
        let text = promoted(before, pattern);
        let mark = format!("  # auto-promoted={DAY}");
        let entries = Document::read(&text).unwrap().shared;
        assert!(entries.iter().all(|s| s.promoted == (s.pattern == *pattern)), "{text}");
        if !before.contains("[b") && !before.contains("[\n") {
            assert_eq!(text.replace(&mark, ""), *after);
        }
        let gone = without(&text, pattern);
        assert_eq!(Document::read(&gone).unwrap().shared.len(), entries.len() - 1, "{gone}");
        assert!(!gone.contains("auto-promoted"), "{gone}");
    }
}

#[test]
fn entries_in_brackets() {
    let text = "shared_files: [b, c]  # d\n";
    let more = promoted(text, "a");
    assert_eq!(more, "shared_files: [b, c, a  # auto-promoted=2026-06-02\n  ]  # d\n");
    assert_eq!(without(&more, "a"), "shared_files: [b, c,   \n  ]  # d\n");
    assert_eq!(without("shared_files: [b, c]\n", "b"), "shared_files: [ c]\n");
    assert_eq!(without("shared_files: [b]\n", "b"), "shared_files: []\n");
    let text = "shared_files: [a, # auto-promoted=2026-06-02\n  b] # auto-promoted=2026-06-02\n";
    let own: Vec<_> = Document::read(text).unwrap().shared.iter().map(|s| s.promoted).collect();
    assert_eq!(own, [true, false]);
}

#[test]
fn removal_keeps_the_rest() {
    let text = "# top\nshared_files:   # ours\n  - a  # one\n\n  # two\n  - 'b'\n# end\nx: [1]\n";
    assert_eq!(
        without(text, "a"),
        "# top\nshared_files:   # ours\n\n  # two\n  - 'b'\n# end\nx: [1]\n"
    );
    assert_eq!(
        remove_shared(text, |_| false).unwrap().unwrap(),
        "# top\nshared_files:   # ours\n\n  # two\n# end\nx: [1]\n"
    );
    assert_eq!(remove_shared(text, |_| true).unwrap(), None);
    assert_eq!(without("shared_files:\n- a", "a"), "shared_files:\n");
}

#[test]
fn splits_keep_the_rest_too() {
    let split = Split { pattern: "src/a.ts", suggested_at: "2026-06-02T12:00:00Z", note: None };
    let lines = "  - pattern: src/a.ts\n    suggested_at: '2026-06-02T12:00:00Z'\n";
    let add = |text: &str, split: &Split<'_>| add_split(text, split).unwrap().unwrap();
    assert_eq!(add("", &split), format!("suggested_splits:\n{lines}"));
    let text = "suggested_splits:\n  - pattern: x  # c\n    note: >\n      long\n      text\n\n# end\ny: 1\n";
    let noted = Split { note: Some("too: big\n# not a comment"), ..split };
    let new = add(text, &noted);
    assert_eq!(
        new,
        format!(
            "suggested_splits:\n  - pattern: x  # c\n    note: >\n      long\n      text\n\n{lines}    \
             note: \"too: big\\n# not a comment\"\n# end\ny: 1\n"
        )
    );
    assert_eq!(add_split(&new, &split).unwrap(), None);
    assert_eq!(
        add("suggested_splits: [{pattern: x}, y] # z", &split),
        "suggested_splits: [{pattern: x}, y, {pattern: src/a.ts, suggested_at: '2026-06-02T12:00:00Z'}] # z"
    );
}

#[test]
fn what_cannot_be_done_is_not_done() {
    let stuck = "`shared_files` cannot be changed without touching the rest";
    for text in [
        "{shared_files: [a], x: 1}\n\n...\n# more",
        "{x: 1}\n",
        "x: &l [b]\nshared_files: *l\n",
        "x: 1\n...\n",
        "shared_files:\n  -\n    b\n",
    ] {
        let why = match add_shared(text, "q", Some(DAY)) {
            Err(e) => e.to_string(),
            // Some of them can be done; then nothing else has changed.
            Ok(new) => {
                assert!(new.unwrap().contains(PROMOTED));
                continue;
            }
        };
        assert!(why.starts_with(stuck), "{text}: {why}");
    }
    assert!(no(add_shared("x: &l [b]\nshared_files: *l\n", "q", None)).starts_with(stuck));
    assert!(no(remove_shared("x: &l [b]\nshared_files: *l\n", |_| false)).starts_with(stuck));
    assert_eq!(no(add_shared("- a", "q", None)), "Ownership config must be a YAML mapping");
    assert_eq!(no(add_shared("shared_files: x", "q", None)), "`shared_files` must be a list");
    assert!(no(add_shared("", "../q", None)).starts_with("`shared_files`: "));
    let full = format!("# {}\n", "x".repeat(DOCUMENT_BYTES_MAX - 10));
    assert!(no(add_shared(&full, "q", None)).contains("longer than"));
    let many = format!("shared_files:\n{}", "- a\n".repeat(2_000));
    assert!(no(add_shared(&many, "q", None)).contains("more than 2000"));
}

/// A document with comments, blank lines and lists in all kinds of form, and whether its lists are in
/// brackets.
fn documents() -> impl Strategy<Value = String> {
    let comment = prop_oneof![
        Just(String::new()),
        Just("  # a, [b] 'c'".to_owned()),
        Just("  # auto-promoted=2026-01-01".to_owned()),
        Just("  # coord-managed=permanent".to_owned()),
    ];
    let between = prop_oneof![
        Just(String::new()),
        Just("\n".to_owned()),
        Just("# between\n\n".to_owned()),
        Just("      # deep\n".to_owned()),
    ];
    let pattern = prop_oneof![
        "[a-c]{1,2}(/[a-c*]{1,2}){0,2}",
        Just("'**/x y.ts'".to_owned()),
        Just("\"\\u00e4/#b\"".to_owned()),
        Just("app/[id]".to_owned()),
    ];
    let lines = (
        prop::collection::vec((pattern, comment.clone(), between), 0..5),
        prop_oneof![Just(""), Just("  "), Just("    ")],
        comment.clone(),
    )
        .prop_map(|(items, indent, head)| {
            let item = |(p, c, b): (String, String, String)| format!("{indent}- {p}{c}\n{b}");
            let items: String = items.into_iter().map(item).collect();
            format!("shared_files:{head}\n{items}")
        });
    let brackets = (prop::collection::vec("[a-c]{1,3}", 0..4), any::<bool>(), comment).prop_map(
        |(items, wide, tail)| {
            let by = if wide { ",  # one, two\n    " } else { ", " };
            format!("shared_files: [{}]{tail}\n", items.join(by))
        },
    );
    let rest = prop_oneof![
        Just(String::new()),
        Just("modules:\n  m:\n    paths: ['m/**']   # ours\n\n".to_owned()),
        Just("suggested_splits:\n- pattern: s  # x\n  note: |\n    a\n\n    # b\n".to_owned()),
        Just("# only a comment\n\n".to_owned()),
        Just("other: {a: [1, 2]} # z\n".to_owned()),
    ];
    (rest.clone(), prop_oneof![lines, brackets, Just(String::new())], rest, 0..3_u8)
        .prop_filter_map("the same key twice", |(before, list, after, end)| {
            let same = !before.is_empty() && before == after && !before.starts_with('#');
            let text = format!("{before}{list}{after}");
            let text = match end {
                0 => text.trim_end().to_owned(),
                1 => text.replace('\n', "\r\n"),
                _ => text,
            };
            (!same).then_some(text)
        })
}

/// Whether `whole` is `part` with bytes put in.
fn only_adds(part: &str, whole: &str) -> bool {
    let mut whole = whole.bytes();
    part.bytes().all(|b| whole.any(|w| w == b))
}

/// Whether `whole` is `part` with one run of bytes put in.
fn adds_one_run(part: &str, whole: &str) -> bool {
    let same = |(a, b): &(u8, u8)| a == b;
    let head = part.bytes().zip(whole.bytes()).take_while(same).count();
    let tail = part.bytes().rev().zip(whole.bytes().rev()).take_while(same).count();
    head + tail >= part.len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn all_other_bytes_stay(
        text in documents(),
        pattern in "[a-d]{1,2}(/[a-d*]{1,2}){0,2}|[a-d] [#:,'\"\\]\\[{}&!%@`|>-]{1,4}|\u{e4}",
        own in any::<bool>(),
    ) {
        let before = Document::read(&text).unwrap();
        let Ok(done) = add_shared(&text, &pattern, own.then_some(DAY)) else {
            // Nobody can read such a pattern.
            prop_assert!(resource(SHARED_FILES, &pattern).is_err(), "{text:?} {pattern:?}");
            return Ok(());
        };
        let wanted = resource(SHARED_FILES, &pattern).unwrap();
        let Some(new) = done else {
            prop_assert!(before.shared.iter().any(|s| s.resource == wanted));
            return Ok(());
        };
        // Empty brackets give way to lines; nothing else goes.
        let kept = text.replacen("shared_files: []", "shared_files:", 1);
        prop_assert!(adds_one_run(&kept, &new), "{text:?}\n{new:?}");
        let after = Document::read(&new).unwrap();
        prop_assert_eq!(after.shared.len(), before.shared.len() + 1);
        let last = after.shared.last().unwrap();
        prop_assert_eq!((&last.pattern, last.promoted), (&pattern, own));
        prop_assert_eq!(add_shared(&new, &pattern, None).unwrap(), None);
    }

    #[test]
    fn what_goes_leaves_the_rest(text in documents(), which in any::<u8>()) {
        let before = Document::read(&text).unwrap();
        let goes = |n: usize| which & (1 << (n % 8)) != 0;
        let next = std::cell::Cell::new(0);
        let done = remove_shared(&text, |_| !goes(next.replace(next.get() + 1))).unwrap();
        let stays: Vec<&str> = (before.shared.iter().enumerate())
            .filter(|(n, _)| !goes(*n))
            .map(|(_, s)| s.pattern.as_str())
            .collect();
        let Some(new) = done else {
            prop_assert_eq!(stays.len(), before.shared.len());
            return Ok(());
        };
        prop_assert!(only_adds(&new, &text), "{text:?}\n{new:?}");
        let after = Document::read(&new).unwrap();
        let left: Vec<&str> = after.shared.iter().map(|s| s.pattern.as_str()).collect();
        prop_assert_eq!(left, stays);
        prop_assert_eq!(after.rules.len(), before.rules.len());
        prop_assert_eq!(after.splits, before.splits);
    }

    #[test]
    fn splits_leave_the_rest(text in documents(), note in prop::option::of(any::<String>())) {
        let split = Split { pattern: "q/**", suggested_at: "2026-06-02T12:00:00Z", note: note.as_deref() };
        let new = add_split(&text, &split).unwrap().unwrap();
        prop_assert!(adds_one_run(&text, &new), "{text:?}\n{new:?}");
        prop_assert_eq!(add_split(&new, &split).unwrap(), None);
    }

    #[test]
    fn no_text_makes_it_stumble(text in "[-a:?#&*!|>'\"%@`\\[\\]{},\\\\ \n\t\u{e4}\u{feff}\u{2028}0]{0,60}") {
        // Whatever it says of it, it says.
        for done in [add_shared(&text, "q", Some(DAY)), add_shared(&text, "q", None), remove_shared(&text, |_| false)] {
            if let Ok(Some(new)) = done {
                prop_assert!(Document::read(&new).is_ok());
            }
        }
    }
}
