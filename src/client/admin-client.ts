// Puts one operator command to a manager: any that is connected, or the first that connects before
// the deadline; it passes on to the leader what only the leader can do. A command that only asks is
// put to the next one when an answer does not come; one that changes something is not sent again
// then, because it may have been carried out, so it goes only to a manager that has just shown that
// it lives: the link of one that was killed looks sound for a while. A manager that answers that
// there is no leader has done nothing, so that every command is tried again for as long as it may
// take: a change of leaders is a pause, not a failure.
import type { PeerId } from '../base/brands.js'
import { wait, type Clock } from '../base/clock.js'
import { ERROR_CODES, SwarmdiskError, type ErrorCode } from '../base/errors.js'
import { ADMIN_ATTEMPT_MS, ADMIN_LAST_TRY_MS, ADMIN_RETRY_MS } from '../base/limits.js'
import type { AdminCommand, AdminResult } from '../net/admin.js'
import { lives } from '../net/alive.js'
import { LOST, type PeerInfo, type Peers } from '../net/peers.js'

export interface AskOptions {
  readonly peers: Peers
  readonly command: AdminCommand
  /** Milliseconds from now. */
  readonly deadline: number
  readonly clock: Clock
}

/**
 * What the manager decided, which at the end of the time may be that there was no leader; or an
 * error 'unreachable' that says what was tried.
 */
export async function askManager(options: AskOptions): Promise<AdminResult> {
  const round: Round = {
    end: options.clock.now() + options.deadline,
    asked: new Set(),
    silent: new Set(),
  }
  return untilLed({ ...options, ask: () => askOnce(options, round) })
}

/** What the manager answered, or the refusal as a typed error. */
export function unwrap(answer: AdminResult): unknown {
  if (answer.ok) return answer.result
  const known = ERROR_CODES.find(code => code === answer.code) ?? ('refused' satisfies ErrorCode)
  throw new SwarmdiskError(known, answer.message)
}

/** Repeats `ask` while its answer is that there is no leader, and gives the last answer. */
export async function untilLed(options: {
  readonly clock: Clock
  readonly deadline: number
  readonly ask: () => Promise<AdminResult>
}): Promise<AdminResult> {
  const { clock, ask } = options
  const end = clock.now() + options.deadline
  for (;;) {
    const answer = await ask()
    if (answer.ok || answer.code !== NO_LEADER) return answer
    if (clock.now() + ADMIN_RETRY_MS + ADMIN_LAST_TRY_MS > end) return answer
    await wait(clock, ADMIN_RETRY_MS)
  }
}

/** The code of a manager's answer when nothing was done for want of a leader. */
const NO_LEADER: ErrorCode = 'unreachable'

/** One command on its way around the managers. */
interface Round {
  readonly end: number
  /** Since the last time that all of them were. */
  readonly asked: Set<PeerId>
  /** Those that have ever left it unanswered. */
  readonly silent: Set<PeerId>
}

async function askOnce(options: AskOptions, round: Round): Promise<AdminResult> {
  const { peers, command, clock } = options
  const repeatable = isQuestion(command)
  for (;;) {
    const manager = await connectedManager(options, round)
    if (!manager) throw unreachable(options, round.silent.size)
    if (!repeatable && !(await lives(peers, manager.id))) {
      round.silent.add(manager.id)
      continue
    }
    const left = Math.max(1, round.end - clock.now())
    const deadline = repeatable ? Math.min(left, ADMIN_ATTEMPT_MS) : left
    const request = { json: JSON.stringify(command) }
    const reply = await peers.request(manager.id, 'admin', request, { deadline })
    if (reply !== LOST) return parseResult(reply.json)
    if (!repeatable) throw undecided(command, manager)
    round.silent.add(manager.id)
  }
}

/** It changes nothing, and so can be asked again. */
export function isQuestion({ command }: AdminCommand): boolean {
  switch (command) {
    case 'status':
    case 'volume-list':
    case 'volume-show':
    case 'snapshot-list':
    case 'server-list':
    case 'manager-list':
    case 'epoch-list':
    case 'epoch-show':
      return true
    case 'volume-create':
    case 'volume-delete':
    case 'volume-resize':
    case 'volume-set':
    case 'snapshot-create':
    case 'snapshot-delete':
    case 'snapshot-rollback':
    case 'snapshot-clone':
    case 'volume-flatten':
    case 'shard-promote':
    case 'server-drain':
    case 'server-undrain':
    case 'server-remove':
    case 'manager-add':
    case 'manager-remove':
      return false
  }
}

/** One that was not asked in this round, if there is; null at the end of the time. */
function connectedManager(
  { peers, clock }: AskOptions,
  { end, asked }: Round,
): Promise<PeerInfo | null> {
  return new Promise(resolve => {
    const timer = clock.after(end - clock.now(), () => finish(null))
    const look = (): void => {
      const managers = peers.list().filter(peer => peer.roles.includes('manager'))
      if (managers.every(peer => asked.has(peer.id))) asked.clear()
      const manager = managers.find(peer => !asked.has(peer.id))
      if (manager && clock.now() < end) finish(manager)
    }
    const stop = peers.subscribe({ connected: look, rerouted: look })
    const finish = (manager: PeerInfo | null): void => {
      timer.cancel()
      stop()
      if (manager) asked.add(manager.id)
      resolve(manager)
    }
    look()
  })
}

function unreachable({ peers, deadline }: AskOptions, silent: number): SwarmdiskError {
  const seconds = Math.ceil(deadline / 1000)
  const others = peers.list().length
  const who =
    silent > 0
      ? `${plural(silent, 'manager')} did not answer`
      : others > 0
        ? `${plural(others, 'other peer')} but no manager could be reached`
        : 'no peer of the cluster could be reached'
  return new SwarmdiskError(
    'unreachable',
    `After ${seconds} s ${who}: check that a manager runs, and that --key and --bootstrap are its.`,
  )
}

function undecided({ command }: AdminCommand, manager: PeerInfo): SwarmdiskError {
  const [noun = '', verb = ''] = command.split('-')
  return new SwarmdiskError(
    'undecided',
    `Manager ${manager.id.slice(0, 8)} did not answer, so "${noun} ${verb}" may or may not have ` +
      `been done: look with "${noun} list" before you repeat it.`,
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
