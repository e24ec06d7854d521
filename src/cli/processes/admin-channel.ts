// The way a command reaches a manager: through the control socket of a process of this host, whose
// end of it is here as well, or as a client that joins the swarm for the time of the command.
import { isSwarmdiskError, SwarmdiskError } from '../../base/errors.js'
import { systemClock } from '../../base/clock.js'
import type { Log } from '../../base/log.js'
import { askManager, isQuestion } from '../../client/admin-client.js'
import type { AdminCommand, AdminResult } from '../../net/admin.js'
import type { AskFlags } from '../cluster-command.js'
import { clusterAccess } from './cluster-access.js'
import { askControl, type ControlHandler } from './control-socket.js'
import { socketPath } from './run-folder.js'
import { createMember } from './swarm-member.js'

export interface AdminChannel {
  /** `deadline` in milliseconds; afterwards 'unreachable'. */
  ask(command: AdminCommand, deadline: number): Promise<AdminResult>
  close(): Promise<void>
}

export interface AdminChannelOptions {
  readonly flags: AskFlags
  readonly log: Log
  readonly deadline: number
}

export async function openAdminChannel(options: AdminChannelOptions): Promise<AdminChannel> {
  const { flags, log } = options
  if (flags.data !== undefined) {
    const local = await openLocal(flags.data, options.deadline)
    if (local) return local
  }
  const access = clusterAccess(flags, flags.data)
  const member = createMember({ access, roles: ['client'], name: 'command', log })
  // Managers push the configuration to every peer; a command only wants its answer.
  member.peers.serve('configuration', () => undefined)
  await member.start()
  return {
    ask: (command, deadline) =>
      askManager({ peers: member.peers, command, deadline, clock: systemClock }),
    close: () => member.stop(),
  }
}

/** Null if no process of this host owns that directory now. */
async function openLocal(data: string, deadline: number): Promise<AdminChannel | null> {
  const socket = socketPath(data)
  const alive = await askControl(socket, { path: '/ping', body: null, deadline })
  if (alive === null) return null
  return {
    async ask(command, limit) {
      const request = { path: '/admin', body: command, deadline: limit }
      const answer = await askControl(socket, request).catch((error: unknown) => {
        if (!isSwarmdiskError(error, 'unreachable')) throw error
        throw unanswered(command, `The process of ${data} did not answer in time`)
      })
      if (answer !== null) return answer as AdminResult
      throw unanswered(command, `The process of ${data} stopped meanwhile`)
    },
    close: () => Promise.resolve(),
  }
}

function unanswered(command: AdminCommand, what: string): SwarmdiskError {
  return isQuestion(command)
    ? new SwarmdiskError('unreachable', `${what}: look at its log, or leave --data out.`)
    : new SwarmdiskError(
        'undecided',
        `${what}, so this may or may not have been done: look with "epoch list" before you ` +
          'repeat it.',
      )
}

/** What a process does with `/admin`: an error reaches the command as the sentence it is. */
export function adminRoute(ask: (command: AdminCommand) => Promise<AdminResult>): ControlHandler {
  return async body => {
    try {
      return await ask(body as AdminCommand)
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      return { ok: false, code: error.code, message: error.message } satisfies AdminResult
    }
  }
}
