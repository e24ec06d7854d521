// What storage servers say to one another about a shard, handed to its replica. Requests about an
// allocation that this server does not know yet wait for the configuration; writes do not, because
// a replica that adopts an allocation asks for them again.
import type { PeerId } from '../base/brands.js'
import { isSwarmdiskError } from '../base/errors.js'
import type * as m from '../net/messages.js'
import type { Reply, Request } from '../net/operations.js'
import type { ShardReplica } from './replica/shard-replica.js'
import type { StorageServerOptions } from './storage-server-options.js'

export interface PeerDispatch {
  find(name: m.ShardName): ShardReplica | undefined
  /** A client, to a shard that another server leads. */
  wrote(): void
  whenKnown(message: m.ShardMessage, run: (replica: ShardReplica) => void, refuse: () => void): void
}

type Question =
  'gather' | 'sync' | 'still-current' | 'summaries' | 'index-page' | 'blocks' | 'caught-up'

interface Asked<O extends Question> {
  readonly replica: ShardReplica
  readonly request: Request<O>
  readonly from: PeerId
  readonly answer: (reply: Reply<O>) => void
}

const NOTHING = new Uint8Array(0)
const NO: m.OkReply = { ok: false }
const NO_LISTS: m.GatherReply = { ok: false, uncommitted: [], executed: [] }
const NO_SUMMARIES: m.SummariesReply = { ok: false, summaries: [], pageCount: 0 }
const NO_PAGE: m.IndexPageReply = { ok: false, payload: NOTHING }
const NO_BLOCKS: m.BlocksReply = {
  ...{ status: 'refused', entries: NOTHING, busy: false, payload: NOTHING },
}
const NOT_COUNTED: m.CaughtUpReply = { counted: false, executed: [] }

export function servePeers(options: StorageServerOptions, dispatch: PeerDispatch): void {
  serveWrites(options, dispatch)
  serveQuestions(options, dispatch)
}

function serveWrites({ peers, watch }: StorageServerOptions, dispatch: PeerDispatch): void {
  const found = (message: m.ShardMessage): ShardReplica | undefined => {
    const replica = dispatch.find(message)
    if (!replica) watch.wanted(message.allocation)
    return replica
  }
  peers.serve('replicate', (message, from) => {
    if (!message.settling) dispatch.wrote()
    found(message)?.replicate(message, from.id)
  })
  peers.serve('replicated', (message, from) => found(message)?.replicated(message, from.id))
  peers.serve('committed', (message, from) => found(message)?.committed(message, from.id))
}

/** Whoever returns null answers by itself, in this turn or later. */
function serveQuestions({ peers, log }: StorageServerOptions, dispatch: PeerDispatch): void {
  const serve = <O extends Question>(
    operation: O,
    refused: Reply<O>,
    ask: (asked: Asked<O>) => Promise<Reply<O>> | null,
  ): void => {
    /** A failing disk is a refusal, and the other asks again. */
    const failed =
      (answer: (reply: Reply<O>) => void) =>
      (error: unknown): void => {
        if (!isSwarmdiskError(error)) throw error
        log.error('a request of another server failed', { error: error.message })
        answer(refused)
      }
    peers.serve(operation, (request, { id: from }, answer) => {
      const run = (replica: ShardReplica): void => {
        void ask({ replica, request, from, answer })?.then(answer, failed(answer))
      }
      dispatch.whenKnown(request, run, () => answer(refused))
    })
  }
  serve('gather', NO_LISTS, ({ replica, request, from, answer }) => {
    answer(replica.gather(request, from))
    return null
  })
  serve('sync', NO, ({ replica, request }) => replica.sync(request))
  serve('still-current', NO, ({ replica, request }) => replica.confirmation.stillCurrent(request))
  serve('summaries', NO_SUMMARIES, ({ replica, request }) => replica.source.summaries(request))
  serve('index-page', NO_PAGE, ({ replica, request }) => replica.source.indexPage(request))
  serve('blocks', NO_BLOCKS, ({ replica, request, from, answer }) => {
    replica.source.blocks(request, from, answer)
    return null
  })
  serve('caught-up', NOT_COUNTED, ({ replica, request, from, answer }) => {
    replica.caughtUp(request, from, answer)
    return null
  })
}
