// The questions of scrubs, handed to the replica of their shard: a few at a time, whoever asks, and
// what is too much is to be asked again. Clients come first: reading waits for the budget that
// catching up has.
import type { Epoch } from '../../base/brands.js'
import { epoch } from '../../base/brands.js'
import { SCRUBS_SERVED_MAX } from '../../base/limits.js'
import type { ShardMessage } from '../../net/messages.js'
import type { Reply, Request } from '../../net/operations.js'
import type { ScrubStatus } from '../../net/scrub/messages.js'
import type { ShardReplica } from '../replica/shard-replica.js'
import type { PeerDispatch } from '../serve-peers.js'
import type { StorageServerOptions } from '../storage-server-options.js'
import { scrubFailed } from './scrub-source.js'

type Question = 'scrub' | 'scrub-compare'

interface Served<O extends Question> {
  readonly ask: (replica: ShardReplica, request: Request<O>) => Promise<Reply<O>>
  readonly empty: (status: ScrubStatus, allocation: Epoch) => Reply<O>
}

const NOTHING = new Uint8Array(0)
const UNKNOWN = epoch(0)

export function serveScrubs(
  { peers, log }: Pick<StorageServerOptions, 'peers' | 'log'>,
  dispatch: Pick<PeerDispatch, 'whenKnown'>,
): void {
  let active = 0
  const serve = <O extends Question>(operation: O, { ask, empty }: Served<O>): void => {
    peers.serve(operation, (request, _client, answer) => {
      if (active >= SCRUBS_SERVED_MAX) return answer(empty('busy', UNKNOWN))
      active++
      const finish = (reply: Reply<O>): void => {
        active--
        answer(reply)
      }
      const failed = (error: unknown): void => {
        const status = scrubFailed(error)
        log.error('a scrub cannot read the disk', { error: String(error) })
        finish(empty(status, UNKNOWN))
      }
      const asked: ShardMessage = request
      const run = (replica: ShardReplica): void => void ask(replica, request).then(finish, failed)
      dispatch.whenKnown(asked, run, () => finish(empty('refused', UNKNOWN)))
    })
  }
  serve('scrub', {
    ask: (replica, request) => replica.scrub.look(request),
    empty: (status, allocation) => ({
      ...{ status, allocation, page: 0, found: false, blocks: 0 },
      ...{ upTo: 0, flaws: [], payload: NOTHING },
    }),
  })
  serve('scrub-compare', {
    ask: (replica, request) => replica.scrub.compare(request),
    empty: (status, allocation) => ({ status, allocation, different: [], open: [] }),
  })
}
