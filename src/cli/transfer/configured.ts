// A client of volumes waits for its first configuration.
import { systemClock } from '../../base/clock.js'
import { SwarmdiskError } from '../../base/errors.js'
import { COMMAND_DEADLINE_MS } from '../../base/limits.js'
import type { ConfigurationWatch } from '../../net/configuration-watch.js'
import type { SwarmMember } from '../processes/swarm-member.js'

/** Without one there would be no volumes to see, which looks like lost ones. */
export async function configured(watch: ConfigurationWatch, member: SwarmMember): Promise<void> {
  let give: (() => void) | undefined
  const timer = systemClock.after(COMMAND_DEADLINE_MS, () => give?.())
  await new Promise<void>(resolve => {
    give = resolve
    const leave = watch.subscribe(() => {
      leave()
      resolve()
    })
    if (watch.current()) resolve()
  })
  timer.cancel()
  if (watch.current()) return
  const seconds = COMMAND_DEADLINE_MS / 1000
  const met = member.peers.list().length > 0 ? 'peers, but no manager,' : 'no peer of the cluster'
  throw new SwarmdiskError(
    'unreachable',
    `After ${seconds} s ${met} could be reached: check that a manager runs, and that --key and ` +
      '--bootstrap are its.',
  )
}
