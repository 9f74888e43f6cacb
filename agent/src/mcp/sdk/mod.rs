//! The protocol, by its official library, and the only runtime of the agent. Everything that is decided
//! is decided elsewhere: here messages are taken in, passed to a thread, and handed over.

mod afters;
mod pipes;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coord_protocol::exit;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CustomRequest, CustomResult,
    ErrorCode, GetPromptRequestParams, GetPromptResponse, Implementation, InitializeRequestParams,
    InitializeResult, ListPromptsResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion, ReadResourceRequestParams,
    ReadResourceResponse, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer, ServerInitializeError, serve_server};
use rmcp::{ErrorData, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::answer::Answer;
use super::arguments::Arguments;
use super::caller::Caller;
use super::desk::{After, Desk};
use super::offers::{INSTRUCTIONS, PROMPT, PROMPT_TEXT, RESOURCES, Resource, prompt};
use super::progress::Progress;
use super::tools::{TOOLS, Tool, find};
use crate::ui::neutral::short;
use afters::Afters;
use pipes::Pipes;

/// Calls that are worked on at once; waits are among them.
const CALLS_MAX: usize = 256;
/// So often a call that goes on says so, to who asked for it.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// Once nobody listens any more, a call gets this long to come to its end.
const END_WITHIN: Duration = Duration::from_secs(3);
/// What hands-over leave to be done gets this long at the end.
const AFTER_WITHIN: Duration = Duration::from_secs(2);
/// Of a foreign name in an error, this much.
const SHOWN_BYTES: usize = 80;

/// Serves on stdin and stdout until the input ends.
pub(super) fn serve(desk: Desk) -> u8 {
    let runtime =
        Builder::new_current_thread().enable_time().max_blocking_threads(CALLS_MAX).build();
    let Ok(runtime) = runtime else { return exit::BUG };
    runtime.block_on(async {
        let afters = Arc::new(Afters::default());
        converse(desk, Arc::clone(&afters)).await;
        afters.done(AFTER_WITHIN).await;
    });
    // A wait that cannot be broken off ends with the process.
    runtime.shutdown_background();
    exit::DONE
}

async fn converse(desk: Desk, afters: Arc<Afters>) {
    let (pipes, gone) = Pipes::open(Arc::clone(&afters));
    let face = Face { desk: Arc::new(desk), afters, gone };
    loop {
        match serve_server(face.clone(), pipes.clone()).await {
            Ok(running) => {
                let _ = running.waiting().await;
                return;
            }
            // A message before the client has said how it speaks; the next one may.
            Err(
                ServerInitializeError::ExpectedInitializeRequest(_)
                | ServerInitializeError::InitializeFailed(_),
            ) => {}
            Err(_) => return,
        }
    }
}

fn implementation() -> Implementation {
    Implementation::new("coord", env!("CARGO_PKG_VERSION"))
}

/// A value of the library's, which cannot be written down otherwise.
fn of_json<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|e| ErrorData::internal_error(e.to_string(), None))
}

/// All lists are one page.
fn first_page(request: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match request.and_then(|r| r.cursor) {
        None => Ok(()),
        Some(_) => Err(ErrorData::invalid_params("no such cursor: all is on the first page", None)),
    }
}

/// What the library asks.
#[derive(Clone)]
struct Face {
    desk: Arc<Desk>,
    afters: Arc<Afters>,
    gone: watch::Receiver<bool>,
}

impl Face {
    /// Works on something on a thread of its own, and keeps what is to be done after the answer.
    async fn work<T: Send + 'static>(
        &self,
        context: &RequestContext<RoleServer>,
        progress: Arc<Progress>,
        wake: Arc<Notify>,
        work: impl FnOnce() -> (T, Option<After>) + Send + 'static,
    ) -> Result<T, ErrorData> {
        self.afters.begin(&context.id);
        let mut gone = self.gone.clone();
        let mut task = tokio::task::spawn_blocking(work);
        let mut speaker = Speaker::new(context);
        let mut tick = interval(PROGRESS_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.reset();
        let done = loop {
            tokio::select! {
                done = &mut task => break Some(done),
                () = context.ct.cancelled() => break None,
                _ = gone.changed() => {
                    progress.end();
                    break timeout(END_WITHIN, &mut task).await.ok();
                }
                () = wake.notified() => speaker.say(progress.words()).await,
                _ = tick.tick() => speaker.say(progress.words()).await,
            }
        };
        match done {
            Some(Ok((value, after))) => {
                if let Some(after) = after {
                    self.afters.keep(context.id.clone(), after);
                }
                Ok(value)
            }
            Some(Err(e)) => Err(ErrorData::internal_error(format!("a bug in coord: {e}"), None)),
            // Nothing more is said of it; the thread gives back what it may still get.
            None => {
                progress.end();
                Err(ErrorData::internal_error("cancelled", None))
            }
        }
    }
}

fn caller(context: &RequestContext<RoleServer>) -> Caller {
    Caller {
        meta: serde_json::to_value(&context.meta).unwrap_or_default(),
        client: context.client_info().map(|c| c.name),
    }
}

/// Reports progress, if the request wants it.
struct Speaker<'a> {
    context: &'a RequestContext<RoleServer>,
    began: Instant,
}

impl<'a> Speaker<'a> {
    fn new(context: &'a RequestContext<RoleServer>) -> Self {
        Self { context, began: Instant::now() }
    }

    async fn say(&mut self, words: Option<String>) {
        let Some(token) = self.context.meta.get_progress_token() else { return };
        let passed = self.began.elapsed().as_secs_f64();
        let note = ProgressNotificationParam::new(token, passed);
        let note = match words {
            Some(words) => note.with_message(words),
            None => note,
        };
        // Who cannot be told does without.
        let _ = self.context.peer.notify_progress(note).await;
    }
}

fn result_of(answer: &Answer) -> Result<CallToolResult, ErrorData> {
    of_json(json!({
        "resultType": "complete",
        "content": [{"type": "text", "text": answer.text}],
        "structuredContent": answer.structured,
        "isError": answer.is_error,
    }))
}

impl ServerHandler for Face {
    fn get_info(&self) -> ServerConfig {
        let offered =
            ServerCapabilities::builder().enable_tools().enable_resources().enable_prompts();
        ServerConfig::new(offered.build())
            .with_server_info(implementation())
            .with_instructions(INSTRUCTIONS)
            .with_protocol_version(ProtocolVersion::V_2025_11_25)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        // The modern era has no handshake, also where a request of it asks for one.
        if is_modern(&context) {
            return Err(no_method("initialize"));
        }
        context.peer.set_peer_info(request.clone());
        self.negotiate_initialize(&request)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        first_page(request)?;
        let tools: Vec<_> = TOOLS.iter().map(Tool::definition).collect();
        of_json(json!({"resultType": "complete", "tools": tools}))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let tool = find(&request.name).ok_or_else(|| {
            let name = short(&request.name, SHOWN_BYTES);
            ErrorData::invalid_params(format!("there is no tool {name}"), None)
        })?;
        let arguments = Arguments::read(tool, request.arguments.unwrap_or_default())
            .map_err(|why| ErrorData::invalid_params(why, None))?;
        let wake = Arc::new(Notify::new());
        let waker = Arc::clone(&wake);
        let progress = Arc::new(Progress::new(move || waker.notify_one()));
        let (desk, caller, aside) = (Arc::clone(&self.desk), caller(&context), progress.clone());
        let work = move || desk.call(&caller, tool, &arguments, aside);
        let answer = self.work(&context, progress, wake, work).await?;
        Ok(result_of(&answer)?.into())
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        first_page(request)?;
        let resources: Vec<_> = RESOURCES.iter().map(Resource::definition).collect();
        of_json(json!({"resultType": "complete", "resources": resources}))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let resource = Resource::at(&request.uri).ok_or_else(|| {
            let uri = short(&request.uri, SHOWN_BYTES);
            let data = json!({"uri": request.uri});
            ErrorData::resource_not_found(format!("there is no resource {uri}"), Some(data))
        })?;
        let (desk, caller) = (Arc::clone(&self.desk), caller(&context));
        let work = move || match desk.read(&caller, resource) {
            Ok((text, after)) => (Ok(text), after),
            Err(e) => (Err(e), None),
        };
        let progress = Arc::new(Progress::new(|| {}));
        let text = self.work(&context, progress, Arc::new(Notify::new()), work).await?;
        let text = text.map_err(|e| ErrorData::internal_error(e.detail, None))?;
        let content = json!({"uri": resource.uri, "mimeType": "text/plain", "text": text});
        of_json(json!({"resultType": "complete", "contents": [content]}))
            .map(ReadResourceResponse::Complete)
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        first_page(request)?;
        of_json(json!({"resultType": "complete", "prompts": [prompt()]}))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        if request.name != PROMPT {
            let name = short(&request.name, SHOWN_BYTES);
            return Err(ErrorData::invalid_params(format!("there is no prompt {name}"), None));
        }
        let text = json!({"type": "text", "text": PROMPT_TEXT});
        let description = &prompt()["description"];
        of_json(json!({"resultType": "complete", "description": description,
            "messages": [{"role": "user", "content": text}]}))
        .map(GetPromptResponse::Complete)
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = short(&request.method, SHOWN_BYTES);
        // The library takes a known method with parameters of another form for an unknown one.
        let name = request.method.as_str();
        if METHODS.contains(&name) || LEGACY_METHODS.contains(&name) && !is_modern(&context) {
            let what = format!("the parameters of {method} have another form");
            return Err(ErrorData::invalid_params(what, None));
        }
        Err(no_method(&method))
    }
}

fn no_method(method: &str) -> ErrorData {
    let what = format!("there is no method {method}");
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, Cow::Owned(what), None)
}

fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context.meta.protocol_version().is_some_and(|v| v >= ProtocolVersion::V_2026_07_28)
}

/// Methods that only sessions with a handshake have.
const LEGACY_METHODS: &[&str] = &["initialize", "ping"];

/// Methods that are served.
const METHODS: &[&str] = &[
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
];
