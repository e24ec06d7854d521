// Has a volume grow, on behalf of whoever cuts its image to a larger size (design §7): a manager is
// asked as an operator asks it, and the size is true when this client has heard of it, too. What
// is asked of a manager goes on when nobody waits for it any more, within the time of a command.
import { epoch as toEpoch } from '../../base/brands.js'
import { isSwarmdiskError, SwarmdiskError } from '../../base/errors.js'
import { COMMAND_DEADLINE_MS } from '../../base/limits.js'
import type { AdminResult, VolumeResized } from '../../net/admin.js'
import { askManager, unwrap } from '../admin-client.js'
import type { ClientContext } from '../context.js'
import type { ShardRequest } from '../shard/shard-request.js'

export async function growVolume(
  context: ClientContext,
  request: ShardRequest,
  size: number,
): Promise<void> {
  const { peers, clock, watch } = context
  const { volumeName: name } = request.name
  const command = { command: 'volume-resize', name, size, force: false } as const
  request.obstacle = { kind: 'size' }
  const answer = await request.hold<AdminResult | SwarmdiskError>(done => {
    const asked = askManager({ peers, clock, command, deadline: COMMAND_DEADLINE_MS })
    asked.then(done, (error: unknown) => {
      if (!isSwarmdiskError(error)) throw error
      done(error)
    })
    return () => undefined
  })
  if (answer instanceof SwarmdiskError) throw answer
  const epoch = toEpoch((unwrap(answer) as VolumeResized).epoch)
  watch.wanted(epoch)
  await request.waitFor(done => {
    void watch.until(epoch).then(() => done())
    return () => undefined
  })
}
