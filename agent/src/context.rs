//! What every command works with: identity, session, project, folders, and the way to the server.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use coord_protocol::edge::{Clock, fresh_id};
use coord_protocol::request::{Method, Request};
use coord_protocol::session::check as check_session;
use coord_protocol::wire::Offered;
use coord_server::edge::{OsRng, SystemClock};
use coord_server::replica;
use coord_server::service::Rules;
use serde::Serialize;

use crate::config::ConfigError;
use crate::config::env::Env;
use crate::config::identity::{self, check_base};
use crate::config::paths::Paths;
use crate::config::project::{self, Project};
use crate::config::session::{self, Said, SessionName};
use crate::held;
use crate::hook::marks::mail_was_sent;
use crate::local_server;
use crate::outbox::append::AppendError;
use crate::outbox::disk::Disk;
use crate::outbox::drain::{Settled, Tools};
use crate::outbox::files::QUEUE;
use crate::outbox::keep::{
    Keep, Kept, QueueOnly, concerns_claims, is_claim, may_end_claims, sends_mail,
};
use crate::outbox::real_disk::RealDisk;
use crate::outbox::view::anything_waiting;
use crate::registry::{Registry, note_heard};
use crate::remote::Net;
use crate::remote::breaker::{Breaker, Leave, short_hash};
use crate::remote::http::HttpNet;
use crate::remote::local::{LOCAL, LocalNet, boot_id};
use crate::remote::query::encode;
use crate::replica::pull::{Pull, Unheard};
use crate::replica::{HOOK_PATIENCE, READ_PATIENCE, Standin};
use crate::send::{self, Fate};
use crate::ui::aside::{Aside, Stderr};
use crate::ui::neutral;
use crate::ui::report::in_words;

const TOKEN_BYTES_MAX: usize = 4096;
/// The database of the workstation's own engine, in the data folder.
const LOCAL_DATABASE: &str = "local.db";

/// One command's surroundings.
pub struct Context {
    /// Variables.
    pub env: Env,
    /// Folders.
    pub paths: Paths,
    /// This workstation's name.
    pub machine: String,
    /// This person's name.
    pub user: String,
    /// This conversation.
    pub session: SessionName,
    /// The project.
    pub project: Project,
    /// What identity.json says of the guards.
    pub guard: Option<String>,
    /// The server's base address; [`LOCAL`] where nobody said that there is one, and none was
    /// started here.
    pub base: String,
    /// The outbox's folder.
    pub outbox: RealDisk,
    /// The state folder.
    pub state: RealDisk,
    /// The server, or the workstation's own engine.
    pub net: Box<dyn Net>,
    /// Time.
    pub clock: SystemClock,
    /// Chance.
    pub rng: OsRng,
    /// Lease settings of the engines of this workstation.
    pub rules: Rules,
    /// How long a read waits for other processes here.
    pub patience: Duration,
    /// What hooks do about commands that change a shared work tree, as identity.json says.
    pub tree_guard: Option<String>,
    /// Set when an answer came from here alone.
    pub stale: OnceLock<Stale>,
    /// Who hears what is said while an answer is worked out.
    pub aside: Arc<dyn Aside>,
}

/// An answer that came from here alone.
#[derive(Debug, Clone)]
pub struct Stale {
    /// How long ago the server was last heard.
    pub age: Duration,
    /// Why it was not heard now.
    pub why: String,
}

impl Stale {
    /// How old the answer is, and why.
    pub fn in_words(&self) -> String {
        let (age, why) = (in_words(self.age), neutral::line(&self.why));
        format!("(as of {age} ago; the server cannot be asked now: {why})")
    }
}

/// Whose session it is.
pub enum Whose<'a> {
    /// A command at the shell.
    Shell,
    /// A hook of this host tool, with the id it gave.
    Hook(&'a str, Option<&'a str>),
    /// A call of a tool, with what is known of its caller.
    Call(&'a Said),
}

impl Context {
    /// Reads everything. `cwd` is where the command (or the host's session) stands.
    pub fn load(env: Env, cwd: &Path, whose: &Whose<'_>) -> Result<Self, ConfigError> {
        let paths = Paths::find(&env)?;
        let project = project::find(&env, cwd, paths.home.as_deref());
        let identity = identity::find(&env, &paths, &project.root)?;
        let machine = identity.machine.clone().unwrap_or_else(|| hostname(&env));
        let user = identity.user.clone().unwrap_or_else(|| user_name(&env));
        let session = match whose {
            Whose::Shell => session::of_shell(&env, &machine),
            Whose::Hook(tool, id) => session::of_hook(&env, &machine, tool, *id),
            Whose::Call(said) => session::of_call(&env, &machine, said),
        };
        // A name that no server takes and no header can hold would only fill the queue.
        check_session(&session.id)?;
        let state = RealDisk::at(&paths.state);
        let outbox = RealDisk::at(&project.root.join(".claude"));
        refuse_committed_queue(&outbox)?;
        let set = base_from_env(&env)?.or(identity.coord_api);
        let last = || local_server::last_record(&state).map(|r| r.url);
        let set = set.or_else(last);
        let base = set.unwrap_or_else(|| LOCAL.to_owned());
        let base = base.trim_end_matches('/').to_owned();
        let token = token(&env, &state, identity.coord_token_file.as_deref(), &base)?;
        let rules = local_rules(&env)?;
        let net: Box<dyn Net> = if base == LOCAL {
            Box::new(local_store(&paths, rules))
        } else {
            Box::new(HttpNet::new(&base, token.as_deref()))
        };
        Ok(Self {
            net,
            outbox,
            clock: SystemClock,
            rng: OsRng,
            rules,
            patience: match whose {
                Whose::Shell | Whose::Call(_) => READ_PATIENCE,
                Whose::Hook(..) => HOOK_PATIENCE,
            },
            stale: OnceLock::new(),
            tree_guard: identity.tree_guard,
            aside: Arc::new(Stderr),
            env,
            paths,
            machine,
            user,
            session,
            project,
            guard: identity.guard,
            base,
            state,
        })
    }

    /// The breaker of the server.
    pub fn breaker(&self) -> Breaker<'_> {
        Breaker::new(&self.state, &self.clock, &self.rng, &self.base)
    }

    /// The way in which writes leave: through this project's outbox.
    pub fn tools<'a>(&'a self, breaker: &'a Breaker<'a>) -> Tools<'a> {
        self.tools_for(&self.outbox, breaker)
    }

    /// The way in which the writes of another outbox leave.
    pub fn tools_for<'a>(&'a self, disk: &'a dyn Disk, breaker: &'a Breaker<'a>) -> Tools<'a> {
        let (clock, rng) = (&self.clock, &self.rng);
        Tools { disk, keeper: self, net: &*self.net, breaker, clock, rng }
    }

    /// What stands in for the server here; `None` where this workstation is its own authority, or
    /// where nothing can be written (a sandbox).
    pub fn standin(&self) -> Option<Standin<'static>> {
        if self.base == LOCAL {
            return None;
        }
        let dir = self.replica_folder();
        let engine = replica::open(&dir, self.rules, &SystemClock, &OsRng, &boot_id()).ok()?;
        Some(Standin {
            folder: Box::new(RealDisk::at(&dir)),
            engine: RefCell::new(engine),
            neighbours: Box::new(self.registry()),
            scope: self.scope(),
            patience: self.patience,
            clock: &SystemClock,
        })
    }

    /// The workstation's own store, whether it is the authority or not.
    pub fn local_store(&self) -> LocalNet {
        local_store(&self.paths, self.rules)
    }

    /// Reads on in the server's feed.
    pub fn pull(
        &self,
        standin: &Standin<'_>,
        budget: Duration,
        leave: Leave,
    ) -> Result<(), Unheard> {
        let breaker = self.breaker();
        let known = standin.engine.borrow().scope_with(&standin.scope);
        let scope = known.map_err(|e| Unheard::Replica(e.to_string()))?;
        let pull = Pull {
            net: &*self.net,
            breaker: &breaker,
            clock: &self.clock,
            scope: &scope,
            session: &self.session.id,
        };
        pull.run(&standin.engine.borrow(), budget, leave)
    }

    /// This session does something: a sign of life for whoever stands in for the server here.
    pub fn note_heard(&self) {
        if self.base != LOCAL {
            note_heard(&self.state, &self.session.id);
        }
    }

    /// Where the copy of this server's rows is.
    pub fn replica_folder(&self) -> PathBuf {
        self.paths.state.join(format!("replica-{:08x}", short_hash(&self.base)))
    }

    /// The machines whose mail this workstation keeps a copy of: its own, and the one that the
    /// session's name says.
    pub fn scope(&self) -> String {
        let of_session = self.session.id.split('/').next().unwrap_or_default();
        let mut names = vec![encode(&self.machine), encode(of_session)];
        names.sort();
        names.dedup();
        names.join(",")
    }

    /// A write with a fresh id, of this session, now.
    pub fn request(&self, method: Method, path: &str, body: Option<&impl Serialize>) -> Request {
        let body = body.map(|b| serde_json::to_value(b).expect("wire types are plain JSON"));
        Request {
            ts: Some(self.clock.wall().to_string()),
            id: Some(fresh_id(&self.clock, &self.rng).to_string()),
            session: Some(self.session.id.clone()),
            ..Request::new(method, path, body)
        }
    }
}

impl Context {
    /// Sends a write, or queues it (see [`send::write`]).
    pub fn write(&self, request: &Request, budget: Duration) -> Result<Fate, AppendError> {
        let breaker = self.breaker();
        let fate = send::write(&self.tools(&breaker), request, budget)?;
        self.note_for_hooks(request);
        match &fate {
            Fate::Queued { .. } | Fate::Provisional { .. } => self.remember_outbox(),
            Fate::Done { answer, .. } if concerns_claims(request) => {
                if let Some(standin) = self.standin() {
                    // What cannot be noted comes with the next pull.
                    let _ = standin.note(request, answer);
                }
            }
            Fate::Done { .. } | Fate::Refused { .. } => {}
        }
        Ok(fate)
    }

    /// Hooks here go by small files until they are told otherwise.
    fn note_for_hooks(&self, request: &Request) {
        if sends_mail(request) {
            mail_was_sent(&self.state);
        }
        if may_end_claims(request) {
            // Whose claim it was, only the answer could say, and not each does.
            held::forget_all(&self.state);
        }
    }

    /// Notes that messages were put before this session, once they really were (G31). What cannot be
    /// told now is queued; what cannot be queued either is forgotten, and they are shown once more.
    pub fn note_offered(&self, ids: Vec<String>, budget: Duration) -> Result<(), AppendError> {
        if ids.is_empty() {
            return Ok(());
        }
        // Among them may be that a claim has ended.
        held::forget(&self.state, &self.session.id);
        let ask = Offered { session_id: self.session.id.clone(), ids };
        let request = self.request(Method::Post, "/api/coord/messages/offered", Some(&ask));
        self.write(&request, budget).map(drop)
    }

    /// The outboxes of this workstation's projects.
    pub fn registry(&self) -> Registry {
        Registry::new(&self.state, &self.outbox, &self.base)
    }

    /// Something was queued here. Best effort: the outbox is found by whoever works here.
    pub fn remember_outbox(&self) {
        let _ = self.registry().remember_own();
    }

    /// Outboxes of other projects in which something waits for this server.
    pub fn other_outboxes(&self) -> Vec<RealDisk> {
        self.registry().others()
    }
}

impl Keep for Context {
    fn keep(&self, outbox: &dyn Disk, request: &Request) -> Result<Kept, AppendError> {
        // Only a claim means something here before the server has seen it; others need no engine.
        match if is_claim(request) { self.standin() } else { None } {
            Some(standin) => standin.keep(outbox, request),
            None => QueueOnly.keep(outbox, request),
        }
    }

    fn settled(&self, done: &[Settled]) {
        // What was provisional is confirmed or lost.
        held::forget_all(&self.state);
        if done.iter().any(|s| concerns_claims(&s.request))
            && let Some(standin) = self.standin()
        {
            standin.settled(done);
        }
    }
}

/// A queue that came with a clone was not written here: its lines would be sent in this user's name.
fn refuse_committed_queue(outbox: &RealDisk) -> Result<(), ConfigError> {
    let queue = outbox.root().join("coord-queue.");
    if anything_waiting(outbox).unwrap_or(false) && project::is_tracked(&queue) {
        return Err(ConfigError::File {
            path: outbox.root().join(QUEUE).display().to_string(),
            why:
                "git tracks this queue: what is in it may be somebody else's, and would be sent in \
                  your name. Look at it, then take it out of git (git rm --cached) or remove it"
                    .to_owned(),
        });
    }
    Ok(())
}

fn local_store(paths: &Paths, rules: Rules) -> LocalNet {
    LocalNet::new(&paths.data.join(LOCAL_DATABASE), rules)
}

/// The lease settings of the workstation's own engine: the server's variables.
fn local_rules(env: &Env) -> Result<Rules, ConfigError> {
    let get = |name: &str| env.get(name).map(str::to_owned);
    Rules::read(&get).map_err(|e| ConfigError::Setting(e.to_string()))
}

fn base_from_env(env: &Env) -> Result<Option<String>, ConfigError> {
    let Some(base) = env.first(&["COORD_API_URL", "COORD_SERVICE_URL"]) else { return Ok(None) };
    check_base(base).map_err(|why| ConfigError::Variable {
        name: "COORD_API_URL",
        value: base.to_owned(),
        why,
    })?;
    Ok(Some(base.to_owned()))
}

/// `COORD_AUTH_TOKEN`, then the file that identity.json names, then, for the server of this user that
/// runs on this machine, the token that it made. No token goes to an address it was not made for
/// (G42).
fn token(
    env: &Env,
    state: &RealDisk,
    file: Option<&str>,
    base: &str,
) -> Result<Option<String>, ConfigError> {
    if let Some(t) = env.first(&["COORD_AUTH_TOKEN", "COORD_TOKEN"]) {
        return checked(t, "COORD_AUTH_TOKEN").map(Some);
    }
    if let Some(file) = file {
        let home = || env.path("HOME").unwrap_or_default();
        let path = file.strip_prefix("~/").map_or_else(|| PathBuf::from(file), |r| home().join(r));
        let text = std::fs::read_to_string(&path).map_err(|e| ConfigError::File {
            path: path.display().to_string(),
            why: format!("coord_token_file cannot be read: {e}"),
        })?;
        return checked(text.trim(), file).map(Some);
    }
    Ok(local_server::token_for(state, base))
}

fn checked(token: &str, whence: &str) -> Result<String, ConfigError> {
    let ok = !token.is_empty()
        && token.len() <= TOKEN_BYTES_MAX
        && token.bytes().all(|b| b.is_ascii_graphic());
    if ok {
        return Ok(token.to_owned());
    }
    // The value itself is a secret and stays out of the words.
    Err(ConfigError::File {
        path: whence.to_owned(),
        why: "a token is one word of printable ASCII".to_owned(),
    })
}

fn hostname(env: &Env) -> String {
    let system = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name = if system.is_empty() {
        env.get("HOSTNAME").unwrap_or("localhost").to_owned()
    } else {
        system
    };
    name.replace('/', "-")
}

fn user_name(env: &Env) -> String {
    ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|v| env.get(v))
        .map_or_else(|| format!("uid-{}", rustix::process::geteuid().as_raw()), str::to_owned)
}
