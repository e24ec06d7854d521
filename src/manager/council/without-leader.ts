// Commands of operators at a manager that reaches no leader: questions are answered with what this
// manager knows; of changes it says that nothing was done, or that nobody knows.
import type { AdminCommand, AdminResult } from '../../net/admin.js'
import type { Unanswered } from './relay.js'

const QUESTIONS: ReadonlySet<string> = new Set<AdminCommand['command']>([
  ...(['status', 'volume-list', 'volume-show', 'server-list'] as const),
  ...(['manager-list', 'epoch-list', 'epoch-show', 'snapshot-list'] as const),
])

/** False also for what is no command at all. */
export function isQuestion(json: string): boolean {
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value !== 'object' || value === null || !('command' in value)) return false
    return typeof value.command === 'string' && QUESTIONS.has(value.command)
  } catch {
    // Whoever carries it out says what is wrong with it.
    return false
  }
}

/** The answer to a change. */
export function changeWithoutLeader(why: Unanswered): AdminResult {
  return why === 'no-leader'
    ? {
        ok: false,
        code: 'unreachable',
        message:
          'No manager leads, since no majority of the managers can be reached: nothing was done. ' +
          'See `swarmdisk status` for the managers to start again.',
      }
    : {
        ok: false,
        code: 'undecided',
        message:
          'The leading manager did not answer in time, so this may or may not have been done: ' +
          'look with `swarmdisk epoch list` before you repeat it.',
      }
}

/** What it knows may be long out of date: whoever asks goes on to the next one. */
export const NO_MEMBER: AdminResult = {
  ok: false,
  code: 'unreachable',
  message: 'This manager is no member of the cluster, or not yet: ask another one.',
}
