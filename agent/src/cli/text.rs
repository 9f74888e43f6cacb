//! Text that comes from an argument, a file or stdin.

use std::io::Read;
use std::path::Path;

use coord_protocol::exit;
use coord_protocol::limits::TEXT_BYTES_MAX;

use crate::ui::report::CliError;

/// The text of an argument or of a file (`-` is stdin); exactly one of them must be given.
pub(super) fn from_arg_or_file(
    what: &str,
    arg: Option<String>,
    file: Option<&Path>,
) -> Result<String, CliError> {
    match (arg, file) {
        (Some(_), Some(_)) => {
            let why = format!("{what} is given twice: as an argument and as a file");
            Err(CliError::new(exit::USAGE, why))
        }
        (Some(text), None) if text == "-" => read(what, Path::new("-")),
        (Some(text), None) => Ok(text),
        (None, Some(file)) => read(what, file),
        (None, None) => Err(CliError::new(exit::USAGE, format!("{what} is missing"))
            .hint("give it as an argument, or name a file; '-' reads stdin")),
    }
}

fn read(what: &str, file: &Path) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    let most = TEXT_BYTES_MAX as u64 + 1;
    let got = if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|f| f.take(most).read_to_end(&mut bytes))
    };
    got.map_err(|e| CliError::new(exit::USAGE, format!("{what}: {}: {e}", file.display())))?;
    if bytes.len() > TEXT_BYTES_MAX {
        let why = format!("{what} is longer than {TEXT_BYTES_MAX} bytes");
        return Err(CliError::new(exit::USAGE, why));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| CliError::new(exit::USAGE, format!("{what} is not UTF-8 text")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
