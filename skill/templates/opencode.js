// made-by: coord init. Asks `coord hook opencode` about each event and passes on what it says.
// Where coord is missing, slow or broken, nothing is refused and nothing is added.
import { spawn } from "node:child_process"

const WITHIN_MS = 5000

function ask(event) {
  return new Promise((resolve) => {
    let said = ""
    try {
      const child = spawn("coord", ["hook", "opencode"], {
        stdio: ["pipe", "pipe", "ignore"],
        timeout: WITHIN_MS,
      })
      child.on("error", () => resolve({}))
      child.on("close", () => {
        try {
          resolve(JSON.parse(said) ?? {})
        } catch {
          resolve({})
        }
      })
      child.stdin.on("error", () => {})
      child.stdout.on("data", (piece) => (said += piece))
      child.stdin.end(JSON.stringify(event))
    } catch {
      resolve({})
    }
  })
}

// As coord itself names a session of OpenCode: such ids begin with the time, so the end tells them apart.
const nameOf = (session) => `opencode-${String(session).replace(/[^A-Za-z0-9]/g, "").slice(-8)}`

export const Coord = async ({ directory }) => {
  // Per session, what it is to know during the present turn: the system prompt is made anew for
  // each call of the model.
  const known = new Map()
  const turn = async (name, session, more) => {
    const event = { hook_event_name: name, session_id: session, cwd: directory, ...more }
    const answer = await ask(event)
    if (answer.context && name !== "PostToolUse") {
      known.set(session, [...(known.get(session) ?? []), answer.context])
    }
    return answer
  }
  const started = new Set()
  const start = async (session) => {
    if (!session || started.has(session)) return
    started.add(session)
    await turn("SessionStart", session, { source: "startup" })
  }

  return {
    "chat.message": async (input, output) => {
      await start(input.sessionID)
      const prompt = (output?.parts ?? []).map((part) => part.text ?? "").join("\n")
      await turn("UserPromptSubmit", input.sessionID, { prompt })
    },
    "experimental.chat.system.transform": async (input, output) => {
      await start(input.sessionID)
      output.system.push(...(known.get(input.sessionID) ?? []))
    },
    "tool.execute.before": async (input, output) => {
      const answer = await turn("PreToolUse", input.sessionID, {
        tool_name: input.tool,
        tool_input: output.args,
        tool_use_id: input.callID,
      })
      if (answer.permission === "deny") throw new Error(answer.reason ?? "coord refuses this call")
    },
    "tool.execute.after": async (input, output) => {
      const answer = await turn("PostToolUse", input.sessionID, {
        tool_name: input.tool,
        tool_input: input.args,
        tool_use_id: input.callID,
      })
      if (answer.context) output.output = `${output.output ?? ""}\n\n${answer.context}`
    },
    "experimental.session.compacting": async (input, output) => {
      const answer = await turn("PreCompact", input.sessionID)
      if (answer.context) output.context?.push(answer.context)
    },
    "shell.env": async (input, output) => {
      if (input.sessionID) output.env.COORD_SESSION_ID = nameOf(input.sessionID)
    },
    event: async ({ event }) => {
      const session = event.properties?.sessionID ?? event.properties?.info?.id
      if (event.type === "session.idle") {
        known.delete(session)
        await turn("Stop", session)
      }
      if (event.type === "session.deleted") {
        await turn("SessionEnd", session, { reason: "other" })
        known.delete(session)
        started.delete(session)
      }
    },
  }
}
