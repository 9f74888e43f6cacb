//! `POST /v1/messages`, streamed: what Claude Code and Copilot ask.

use serde_json::{Value, json};

use super::{Does, Turn, fresh};

/// The events of one turn.
pub(super) fn events(model: &Value, turn: &Turn) -> Vec<Value> {
    let (block, delta, stop) = match &turn.does {
        Does::Says(text) => (
            json!({"type": "text", "text": ""}),
            json!({"type": "text_delta", "text": text}),
            "end_turn",
        ),
        Does::Calls { tool, input, .. } => calls(tool, input),
        Does::Patches(text) => calls("apply_patch", &json!({"input": text})),
    };
    vec![
        json!({"type": "message_start", "message": {
            "id": fresh("msg"), "type": "message", "role": "assistant", "model": model,
            "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": turn.tokens, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null},
            "usage": {"output_tokens": 5}}),
        json!({"type": "message_stop"}),
    ]
}

fn calls(tool: &str, input: &Value) -> (Value, Value, &'static str) {
    (
        json!({"type": "tool_use", "id": fresh("toolu"), "name": tool, "input": {}}),
        json!({"type": "input_json_delta", "partial_json": input.to_string()}),
        "tool_use",
    )
}
