//! The transport: lines as messages of the library's, and what no message can be made of.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use rmcp::model::{ClientJsonRpcMessage, ErrorCode, JsonRpcMessage, ServerJsonRpcMessage};
use rmcp::service::RoleServer;
use rmcp::transport::Transport;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use super::afters::Afters;
use super::implementation;
use crate::mcp::lines::{self, LINE_BYTES_MAX, Line, Outgoing};

/// Lines that were read and not taken in yet.
const LINES_AHEAD: usize = 64;
/// Where results of the modern era carry who answers.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// Both pipes. A copy goes on where the other stopped.
#[derive(Clone)]
pub(super) struct Pipes {
    lines: Arc<tokio::sync::Mutex<mpsc::Receiver<Line>>>,
    out: Sender<Outgoing>,
    afters: Arc<Afters>,
}

impl Pipes {
    /// And what says that the input has ended.
    pub(super) fn open(afters: Arc<Afters>) -> (Self, watch::Receiver<bool>) {
        let (take, lines) = mpsc::channel(LINES_AHEAD);
        let (ended, gone) = watch::channel(false);
        thread::spawn(move || {
            let taken = |line| take.blocking_send(line).is_ok();
            lines::read(io::stdin().lock(), LINE_BYTES_MAX, taken);
            let _ = ended.send(true);
        });
        let (out, messages) = channel();
        thread::spawn(move || lines::write(io::stdout().lock(), &messages));
        let lines = Arc::new(tokio::sync::Mutex::new(lines));
        (Self { lines, out, afters }, gone)
    }

    /// Writes a message; done when it was taken.
    fn write(&self, message: Vec<u8>) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let (told, how) = oneshot::channel();
        let told = Box::new(move |result| drop(told.send(result)));
        let sent = self.out.send((message, told));
        async move {
            let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
            sent.map_err(|_| closed())?;
            how.await.map_err(|_| closed())?
        }
    }
}

impl Transport<RoleServer> for Pipes {
    type Error = io::Error;

    fn send(
        &mut self,
        item: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let answered = match &item {
            JsonRpcMessage::Response(r) => Some(r.id.clone()),
            JsonRpcMessage::Error(e) => e.id.clone(),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
        };
        let message = serde_json::to_value(&item).map(signed).and_then(|v| serde_json::to_vec(&v));
        let afters = Arc::clone(&self.afters);
        let written = message.map(|m| self.write(m));
        async move {
            written.map_err(io::Error::from)?.await?;
            if let Some(id) = answered {
                afters.written(&id);
            }
            Ok(())
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        let mut lines = self.lines.lock().await;
        loop {
            match message(lines.recv().await?) {
                Ok(message) => return Some(message),
                Err(Some(answer)) => {
                    let _ = self.write(answer.to_string().into_bytes()).await;
                }
                Err(None) => {}
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// A result of the modern era says who answers.
fn signed(mut message: Value) -> Value {
    if let Some(result) = message.get_mut("result").and_then(Value::as_object_mut)
        && result.contains_key("resultType")
        && let Some(meta) = result.entry("_meta").or_insert_with(|| json!({})).as_object_mut()
    {
        meta.entry(SERVER_INFO).or_insert_with(|| json!(implementation()));
    }
    message
}

/// A line as a message; else what is answered to it, if anything is.
fn message(line: Line) -> Result<ClientJsonRpcMessage, Option<Value>> {
    let error = |id: Value, code: ErrorCode, what: &str| {
        let error = json!({"code": code.0, "message": what});
        Some(json!({"jsonrpc": "2.0", "id": id, "error": error}))
    };
    let Line::Whole(bytes) = line else {
        let what = format!("a message is longer than {LINE_BYTES_MAX} bytes");
        return Err(error(Value::Null, ErrorCode::INVALID_REQUEST, &what));
    };
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|e| error(Value::Null, ErrorCode::PARSE_ERROR, &format!("not JSON: {e}")))?;
    let id = value.get("id").filter(|id| id.is_string() || id.is_i64() || id.is_u64()).cloned();
    let is_request = value.get("method").is_some_and(Value::is_string);
    let is_answer = value.get("result").is_some() || value.get("error").is_some();
    match serde_json::from_value(value) {
        Ok(message) => Ok(message),
        // A notification, or an answer to what nobody asked.
        Err(_) if id.is_none() && is_request || is_answer => Err(None),
        Err(_) if is_request => {
            let what = "the parameters of this method have another form";
            Err(error(id.unwrap_or_default(), ErrorCode::INVALID_PARAMS, what))
        }
        Err(_) => {
            let what = "a message is one object with jsonrpc, method, and for requests id";
            Err(error(id.unwrap_or_default(), ErrorCode::INVALID_REQUEST, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Option<Value> {
        message(Line::Whole(text.as_bytes().to_vec())).err().map(Option::unwrap_or_default)
    }

    #[test]
    fn what_is_no_message_is_answered_as_far_as_it_can_be() {
        for (text, code, id) in [
            ("{", -32700, json!(null)),
            ("\u{feff}", -32700, json!(null)),
            ("[]", -32600, json!(null)),
            ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", -32600, json!(null)),
            ("7", -32600, json!(null)),
            ("{\"id\":5}", -32600, json!(5)),
            ("{\"jsonrpc\":\"1.0\",\"id\":\"a\",\"method\":\"ping\"}", -32602, json!("a")),
        ] {
            let answer = refused(text).unwrap_or_else(|| panic!("{text} is a message"));
            assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &id), "{text}");
        }
        // No answer: it was none that could be given.
        for text in [
            "{\"jsonrpc\":\"1.0\",\"method\":\"x\"}",
            "{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{}}",
        ] {
            assert_eq!(refused(text), Some(Value::Null), "{text}");
        }
        assert_eq!(refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"), None);
    }

    #[test]
    fn only_results_of_the_modern_era_are_signed() {
        let modern = signed(json!({"id": 1, "result": {"resultType": "complete"}}));
        assert_eq!(modern["result"]["_meta"][SERVER_INFO]["name"], "coord");
        let legacy = json!({"id": 1, "result": {"tools": []}});
        assert_eq!(signed(legacy.clone()), legacy);
    }
}
