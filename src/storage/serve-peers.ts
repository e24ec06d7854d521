// What storage servers say to one another about a shard, handed to its replica. Requests about an
// allocation that this server does not know yet wait for the configuration; writes do not, because
// a replica that adopts an allocation asks for them again.
import { isSwarmdiskError } from '../base/errors.js'
import type * as m from '../net/messages.js'
import type { ShardReplica } from './replica/shard-replica.js'
import type { StorageServerOptions } from './storage-server-options.js'

export interface PeerDispatch {
  find(name: m.ShardName): ShardReplica | undefined
  whenKnown(message: m.ShardMessage, run: (replica: ShardReplica) => void, refuse: () => void): void
}

const NOTHING = new Uint8Array(0)

export function servePeers(options: StorageServerOptions, dispatch: PeerDispatch): void {
  const { peers, watch, log } = options
  const found = (message: m.ShardMessage): ShardReplica | undefined => {
    const replica = dispatch.find(message)
    if (!replica) watch.wanted(message.allocation)
    return replica
  }
  peers.serve('replicate', (message, from) => found(message)?.replicate(message, from.id))
  peers.serve('replicated', (message, from) => found(message)?.replicated(message, from.id))
  peers.serve('committed', (message, from) => found(message)?.committed(message, from.id))

  /** Answers with what the promise gives; a failing disk is a refusal, and the other asks again. */
  const later = <R>(work: Promise<R>, answer: (reply: R) => void, refused: R): void => {
    work.then(answer, (error: unknown) => {
      if (!isSwarmdiskError(error)) throw error
      log.error('a request of another server failed', { error: error.message })
      answer(refused)
    })
  }
  const ask = <M extends m.ShardMessage, R>(
    refused: R,
    run: (replica: ShardReplica, request: M, answer: (reply: R) => void) => void,
  ) => {
    return (request: M, answer: (reply: R) => void): void => {
      dispatch.whenKnown(
        request,
        replica => run(replica, request, answer),
        () => answer(refused),
      )
    }
  }

  const noLists = { ok: false, uncommitted: [], executed: [] }
  peers.serve('gather', (request, from, answer) => {
    ask<m.GatherRequest, m.GatherReply>(noLists, (replica, r, reply) => {
      reply(replica.gather(r, from.id))
    })(request, answer)
  })
  const sync = ask<m.SyncRequest, m.OkReply>({ ok: false }, (replica, request, answer) => {
    later(replica.sync(request), answer, { ok: false })
  })
  peers.serve('sync', (request, _from, answer) => sync(request, answer))

  const current = ask<m.ShardMessage, m.OkReply>({ ok: false }, (replica, request, answer) => {
    void replica.confirmation.stillCurrent(request).then(answer)
  })
  peers.serve('still-current', (request, _from, answer) => current(request, answer))

  const noSummaries = { ok: false, summaries: [], pageCount: 0 }
  const summaries = ask<m.SummariesRequest, m.SummariesReply>(noSummaries, (replica, r, answer) => {
    later(replica.source.summaries(r), answer, noSummaries)
  })
  peers.serve('summaries', (request, _from, answer) => summaries(request, answer))

  const noPage = { ok: false, payload: NOTHING }
  const page = ask<m.IndexPageRequest, m.IndexPageReply>(noPage, (replica, request, answer) => {
    later(replica.source.indexPage(request), answer, noPage)
  })
  peers.serve('index-page', (request, _from, answer) => page(request, answer))

  const noBlocks: m.BlocksReply = { status: 'refused', entries: NOTHING, payload: NOTHING }
  peers.serve('blocks', (request, from, answer) => {
    ask<m.BlocksRequest, m.BlocksReply>(noBlocks, (replica, r, reply) => {
      replica.source.blocks(r, from.id, reply)
    })(request, answer)
  })

  const notCounted = { counted: false, executed: [] }
  peers.serve('caught-up', (request, from, answer) => {
    ask<m.CaughtUpRequest, m.CaughtUpReply>(notCounted, (replica, r, reply) => {
      replica.caughtUp(r, from.id, reply)
    })(request, answer)
  })
}
