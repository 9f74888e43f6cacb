//! Our block in a shell script of git's: at its beginning, since what is there may end the script at
//! any line.

use super::block::{self, Style};
use super::part::{Damage, line_end};

const SHEBANG: &str = "#!/bin/sh\n";
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "ksh", "ash"];

/// Whether a first line names a shell.
fn is_shell(first: &str) -> bool {
    let Some(line) = first.strip_prefix("#!") else { return false };
    let mut words = line.split_whitespace().map(|w| w.rsplit('/').next().unwrap_or(w));
    let program = match words.next() {
        Some("env") => words.find(|w| !w.starts_with('-')),
        other => other,
    };
    program.is_some_and(|p| SHELLS.contains(&p))
}

pub(super) fn put(text: Option<&str>, body: &str) -> Result<String, Damage> {
    let text = text.filter(|t| !t.trim().is_empty()).unwrap_or(SHEBANG);
    let end = line_end(text);
    let block = block::block(Style::Hash, body, end);
    if let Some(at) = block::find(text, Style::Hash)? {
        return Ok(block::replaced(text, &at, &block));
    }
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if !is_shell(first) {
        let why =
            "it is no shell script; have it call `coord guard` itself, or leave --git-hooks out";
        return Err(Damage { line: Some(1), why: why.to_owned() });
    }
    if end == "\r\n" {
        return Err(Damage::of("a script with CRLF line ends does not run; mend it first"));
    }
    Ok(format!("{first}\n{block}{rest}"))
}

pub(super) fn take(text: &str) -> Result<Option<String>, Damage> {
    let Some(at) = block::find(text, Style::Hash)? else { return Ok(Some(text.to_owned())) };
    let rest = format!("{}{}", &text[..at.from], &text[at.to..]);
    Ok((rest != SHEBANG).then_some(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_the_first_line_of_a_shell_script() {
        for first in
            ["#!/bin/sh", "#! /usr/bin/env bash", "#!/usr/bin/env -S bash -e", "#!/bin/sh -e"]
        {
            let text = format!("{first}\nexit 0\n");
            let with = put(Some(&text), "guard\n").unwrap();
            assert_eq!(with, format!("{first}\n# coord:begin v1\nguard\n# coord:end\nexit 0\n"));
            assert_eq!(put(Some(&with), "guard\n").unwrap(), with);
            assert_eq!(take(&with).unwrap().as_deref(), Some(text.as_str()));
        }
        let made = put(None, "guard\n").unwrap();
        assert_eq!(made, "#!/bin/sh\n# coord:begin v1\nguard\n# coord:end\n");
        assert_eq!(take(&made).unwrap(), None);
    }

    #[test]
    fn other_programs_are_left_alone() {
        for text in [
            "#!/usr/bin/env python3\n",
            "#!/usr/bin/node\n",
            "\u{7f}ELF",
            "exit 0\n",
            "#!/bin/sh\r\n",
        ] {
            assert!(put(Some(text), "guard\n").is_err(), "{text}");
        }
    }
}
