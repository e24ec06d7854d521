// Puts one operator command to a manager: any that is connected, or the first that connects before
// the deadline. A command that only asks is put to the next one when an answer does not come; one
// that changes something is not sent twice, because it may have been carried out.
import type { PeerId } from '../base/brands.js'
import type { Clock } from '../base/clock.js'
import { SwarmdiskError } from '../base/errors.js'
import { ADMIN_ATTEMPT_MS } from '../base/limits.js'
import type { AdminCommand, AdminResult } from '../net/admin.js'
import { LOST, type PeerInfo, type Peers } from '../net/peers.js'

export interface AskOptions {
  readonly peers: Peers
  readonly command: AdminCommand
  /** Milliseconds from now. */
  readonly deadline: number
  readonly clock: Clock
}

/** What the manager decided, or an error 'unreachable' that says what was tried. */
export async function askManager(options: AskOptions): Promise<AdminResult> {
  const { peers, command, clock } = options
  const end = clock.now() + options.deadline
  const asked = new Set<PeerId>()
  const repeatable = isQuestion(command)
  for (;;) {
    const manager = await connectedManager(options, end, asked)
    if (!manager) throw unreachable(options, asked.size)
    asked.add(manager.id)
    const left = Math.max(1, end - clock.now())
    const deadline = repeatable ? Math.min(left, ADMIN_ATTEMPT_MS) : left
    const request = { json: JSON.stringify(command) }
    const reply = await peers.request(manager.id, 'admin', request, { deadline })
    if (reply !== LOST) return parseResult(reply.json)
    if (!repeatable) throw undecided(command, manager)
  }
}

function isQuestion({ command }: AdminCommand): boolean {
  switch (command) {
    case 'status':
    case 'volume-list':
    case 'volume-show':
    case 'server-list':
    case 'epoch-list':
    case 'epoch-show':
      return true
    case 'volume-create':
    case 'volume-delete':
      return false
  }
}

/** One not asked yet, if there is; else one of those asked; null at the end of the time. */
function connectedManager(
  { peers, clock }: AskOptions,
  end: number,
  asked: ReadonlySet<PeerId>,
): Promise<PeerInfo | null> {
  return new Promise(resolve => {
    const timer = clock.after(end - clock.now(), () => finish(null))
    const look = (): void => {
      const managers = peers.list().filter(peer => peer.roles.includes('manager'))
      const manager = managers.find(peer => !asked.has(peer.id)) ?? managers[0]
      if (manager && clock.now() < end) finish(manager)
    }
    const stop = peers.subscribe({ connected: look, rerouted: look })
    const finish = (manager: PeerInfo | null): void => {
      timer.cancel()
      stop()
      resolve(manager)
    }
    look()
  })
}

function unreachable({ peers, deadline }: AskOptions, asked: number): SwarmdiskError {
  const seconds = Math.ceil(deadline / 1000)
  const others = peers.list().length
  const who =
    asked > 0
      ? `${plural(asked, 'manager')} did not answer`
      : others > 0
        ? `${plural(others, 'other peer')} but no manager could be reached`
        : 'no peer of the cluster could be reached'
  return new SwarmdiskError(
    'unreachable',
    `After ${seconds} s ${who}: check that a manager runs, and that --key and --bootstrap are its.`,
  )
}

function undecided({ command }: AdminCommand, manager: PeerInfo): SwarmdiskError {
  const what = command.replace('-', ' ')
  return new SwarmdiskError(
    'unreachable',
    `Manager ${manager.id.slice(0, 8)} did not answer in time, so "${what}" may or may not have ` +
      'been done: look with "volume list" before you repeat it.',
  )
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function parseResult(json: string): AdminResult {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    throw new SwarmdiskError('protocol', 'The manager answered with broken JSON.', { cause })
  }
  if (typeof value === 'object' && value !== null && 'ok' in value) {
    if (value.ok === true && 'result' in value) return { ok: true, result: value.result }
    const { code, message } = value as { code?: unknown; message?: unknown }
    if (value.ok === false && typeof code === 'string' && typeof message === 'string') {
      return { ok: false, code, message }
    }
  }
  throw new SwarmdiskError('protocol', 'The manager answered with something that is no result.')
}
