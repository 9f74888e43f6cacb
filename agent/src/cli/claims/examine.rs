//! Symbols are looked for in the file before anything is sent.

use std::path::Path;

use coord_protocol::exit;
use coord_protocol::symbol::{SYMBOLS_MAX, canonical};
use coord_symbols::{SOURCE_BYTES_MAX, declarations_while, language_of, refusal, unknown};

use crate::config::file::read_linked;
use crate::ui::neutral::line;
use crate::ui::report::CliError;

/// Brings names to their canonical form, each once.
pub(super) fn names(raw: &[String]) -> Result<Option<Vec<String>>, CliError> {
    if raw.len() > SYMBOLS_MAX {
        let why = format!("more than {SYMBOLS_MAX} symbols for one file");
        return Err(CliError::new(exit::USAGE, why));
    }
    let mut names: Vec<String> = Vec::new();
    for r in raw {
        let name = canonical(r);
        let name = name.ok_or_else(|| {
            CliError::new(exit::USAGE, format!("{} is no symbol's name", line(&format!("{r:?}"))))
                .hint("as in Parent::child")
        })?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(Some(names).filter(|n| !n.is_empty()))
}

/// Refuses names that the file surely does not declare. A file that cannot be read or judged refuses
/// nothing: whoever keeps the claims looks again, if it can. `go_on` bounds the time.
pub(super) fn check(
    file: &Path,
    pattern: &str,
    wanted: &[String],
    go_on: &mut dyn FnMut() -> bool,
) -> Result<(), CliError> {
    let Some(language) = language_of(&file.to_string_lossy()) else { return Ok(()) };
    let Ok(bytes) = read_linked(file, SOURCE_BYTES_MAX as u64) else { return Ok(()) };
    let Ok(source) = String::from_utf8(bytes) else { return Ok(()) };
    let Some(found) = declarations_while(language, &source, go_on) else { return Ok(()) };
    let missing = unknown(&found, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let why = refusal(pattern, &missing, &found.known());
    Err(CliError::new(exit::REFUSED, line(&why))
        .hint("nothing was sent; name symbols that the file has, or claim the whole file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let read = |raw: &[&str]| names(&raw.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["A :: b", "A::b", "c"]).unwrap().unwrap(), ["A::b", "c"]);
        assert_eq!(read(&["A::"]).unwrap_err().exit, exit::USAGE);
        let many: Vec<_> = (0..=SYMBOLS_MAX).map(|n| format!("s{n}")).collect();
        assert_eq!(names(&many).unwrap_err().exit, exit::USAGE);
    }

    #[test]
    fn symbols_that_a_file_does_not_have_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("login.ts");
        std::fs::write(&file, "export class Login { run() {} }\n").unwrap();
        let look = |file: &Path, name: &str, more: bool| {
            check(file, "src/login.ts", &[name.to_owned()], &mut || more)
        };
        assert!(look(&file, "Login::run", true).is_ok());
        let e = look(&file, "Login::walk", true).unwrap_err();
        assert_eq!(e.exit, exit::REFUSED);
        assert!(e.detail.contains("Unknown symbols in 'src/login.ts': ['Login::walk']"), "{e:?}");
        let text = dir.path().join("notes.txt");
        std::fs::write(&text, "x").unwrap();
        assert!(look(&text, "nope", true).is_ok(), "nothing is known of such a file");
        assert!(look(&dir.path().join("absent.ts"), "nope", true).is_ok());
    }
}
