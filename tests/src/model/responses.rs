//! `POST /v1/responses`, streamed: what Codex asks.

use serde_json::{Value, json};

use super::{Does, Turn, fresh};

/// The events of one turn.
pub(super) fn events(turn: &Turn) -> Vec<Value> {
    let id = fresh("resp");
    let item = item(&turn.does);
    vec![
        json!({"type": "response.created", "response": {"id": id}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": {"id": id, "usage": {
            "input_tokens": turn.tokens, "input_tokens_details": null,
            "output_tokens": 5, "output_tokens_details": null,
            "total_tokens": turn.tokens + 5}}}),
    ]
}

fn item(does: &Does) -> Value {
    match does {
        Does::Says(text) => json!({"type": "message", "id": fresh("m"), "role": "assistant",
            "content": [{"type": "output_text", "text": text}]}),
        Does::Calls { namespace, tool, input } => {
            let mut item = json!({"type": "function_call", "id": fresh("fc"),
                "call_id": fresh("call"), "name": tool, "arguments": input.to_string()});
            if let Some(namespace) = namespace {
                item["namespace"] = json!(namespace);
            }
            item
        }
        Does::Patches(text) => json!({"type": "custom_tool_call", "id": fresh("ctc"),
            "call_id": fresh("call"), "name": "apply_patch", "input": text,
            "status": "completed"}),
    }
}
