// A command as a client of volumes: joins the swarm, reads and writes, asks managers, leaves.
import { hostname } from 'node:os'
import { systemClock } from '../../base/clock.js'
import { SwarmdiskError } from '../../base/errors.js'
import { COMMAND_DEADLINE_MS } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import { systemRandom } from '../../base/random.js'
import { askManager, unwrap } from '../../client/admin-client.js'
import { ClusterVolumeDriver } from '../../client/driver.js'
import type { ImportCluster } from '../../client/transfer/import-snapshot.js'
import type { Configuration } from '../../layout/configuration.js'
import { ConfigurationWatch } from '../../net/configuration-watch.js'
import type { ClusterAccess } from '../processes/cluster-access.js'
import { createMember } from '../processes/swarm-member.js'
import { undoAll, type Undo } from '../processes/undo.js'
import { configured } from './configured.js'

export interface VolumeClientOptions {
  readonly access: ClusterAccess
  readonly log: Log
  /** Milliseconds after which held I/O fails. */
  readonly ioTimeout: number
  /** As `status` names it, where mounts have their folder. */
  readonly name: string
}

export interface VolumeClient extends ImportCluster {
  /** Flushes and gives back what it may write to, then leaves. */
  close(): Promise<void>
}

export async function openVolumeClient(options: VolumeClientOptions): Promise<VolumeClient> {
  const { access, log, ioTimeout, name } = options
  const undo: Undo[] = []
  try {
    const member = createMember({ access, log, roles: ['client'], name })
    const { peers } = member
    const watch = new ConfigurationWatch({ peers, log, clock: systemClock })
    undo.push(() => watch.stop())
    const driver = new ClusterVolumeDriver({
      ...{ clock: systemClock, random: systemRandom, peers, watch, log, ioTimeout },
      memory: member.network.memory,
      host: hostname().replaceAll(/[^\x21-\x7e]/g, '?') || 'unnamed',
      mountPoint: name,
      shared: false,
    })
    undo.push(() => member.stop())
    await member.start()
    await configured(watch, member)
    undo.push(() => driver.close())
    return {
      driver,
      current: () => known(watch),
      ask: async command => {
        const deadline = COMMAND_DEADLINE_MS
        return unwrap(await askManager({ peers, command, deadline, clock: systemClock }))
      },
      until: what => until(watch, what),
      close: () => undoAll(undo),
    }
  } catch (error) {
    await undoAll(undo)
    throw error
  }
}

function known(watch: ConfigurationWatch): Configuration {
  const configuration = watch.current()
  if (configuration) return configuration
  throw new SwarmdiskError('unreachable', 'No manager could be reached: check that one runs.')
}

/** What a manager has just answered is pushed to us within moments. */
function until(
  watch: ConfigurationWatch,
  what: (configuration: Configuration) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      timer.cancel()
      leave()
    }
    const look = (): void => {
      const configuration = watch.current()
      if (!configuration || !what(configuration)) return
      end()
      resolve()
    }
    const timer = systemClock.after(COMMAND_DEADLINE_MS, () => {
      end()
      reject(
        new SwarmdiskError(
          'unreachable',
          `What was changed was not heard of within ${COMMAND_DEADLINE_MS / 1000} s: check that ` +
            'managers can be reached, and repeat the command.',
        ),
      )
    })
    const leave = watch.subscribe(look)
    look()
  })
}
