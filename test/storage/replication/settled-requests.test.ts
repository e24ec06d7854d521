// What settling says about requests, told event by event: a retry must never be executed again
// after somebody else's newer write of the same blocks.
import test from 'tape'
import {
  blockIndex,
  epoch,
  generation,
  incarnation,
  requestNumber,
  sequence,
  shardIndex,
  volumeId,
} from '../../../src/base/brands.js'
import type {
  ReplicaEffect,
  ReplicaEvent,
} from '../../../src/storage/replication/replica-events.js'
import { ReplicaState } from '../../../src/storage/replication/replica-state.js'
import { testPeer } from '../../helpers/scripted-peers.js'

const [A, B, CLIENT] = [testPeer(0xa), testPeer(0xb), testPeer(0x1)]
const NAME = { volume: volumeId(1), shard: shardIndex(0) }

function primaryOfTwo(): (event: ReplicaEvent) => readonly ReplicaEffect[] {
  const state = new ReplicaState({ name: NAME, self: A, incarnation: incarnation(1) })
  const replicas = [A, B].map(server => {
    return { server, state: 'in-sync' as const, incarnation: incarnation(1) }
  })
  const allocation = { epoch: epoch(6), generation: generation(0), replicas, stale: [] }
  state.step({ kind: 'adopt', allocation })
  return event => state.step(event)
}

test('a committed write that another replica still has in its list keeps its request', t => {
  const step = primaryOfTwo()
  const origin = { client: CLIENT, request: requestNumber(10) }
  // B had not heard that request 10 was committed; that it was, somebody else has told.
  const uncommitted = [{ block: blockIndex(4), blocks: 3, origins: [origin] }]
  const executed = [{ ...origin, block: blockIndex(4), blocks: 2 }]
  const reply = { ok: true, uncommitted, executed }
  const effects = step({ kind: 'gathered', allocation: epoch(6), from: B, reply })
  t.deepEqual(
    effects.flatMap(effect => (effect.kind === 'read-own' ? effect.spans : [])),
    [
      { block: 4, blocks: 2 },
      { block: 6, blocks: 1 },
    ],
    'cut where what is known to be executed ends',
  )
  const sent = (block: number, blocks: number): number[] => {
    const payload = new Uint8Array(4096 * blocks)
    return step({
      ...{ kind: 'own-content', allocation: epoch(6), block: blockIndex(block), payload },
    }).flatMap(effect => {
      return effect.kind === 'send-replicate'
        ? effect.message.origins.map(({ request }) => Number(request))
        : []
    })
  }
  t.deepEqual(sent(4, 2), [10], 'B learns that it was executed')
  t.deepEqual(sent(6, 1), [], 'but not for blocks of which nobody knows')
  t.end()
})

test('a block taken from another replica comes with the requests that this one executed', t => {
  const step = primaryOfTwo()
  const origin = { client: CLIENT, request: requestNumber(11) }
  const uncommitted = [{ block: blockIndex(4), blocks: 1, origins: [origin] }]
  const reply = { ok: true, uncommitted, executed: [] }
  step({ kind: 'gathered', allocation: epoch(6), from: B, reply })
  const place = { allocation: epoch(6), block: blockIndex(4), payload: new Uint8Array(4096) }
  const effects = step({ kind: 'own-content', ...place, of: B })
  const origins = effects.flatMap(e => (e.kind === 'send-replicate' ? e.message.origins : []))
  t.deepEqual(origins, [origin], 'a retry of it is acknowledged')
  t.end()
})

test('what waits for settling is given to the primary that settles it', t => {
  const state = new ReplicaState({ name: NAME, self: B, incarnation: incarnation(1) })
  const replicas = [A, B].map(server => {
    return { server, state: 'in-sync' as const, incarnation: incarnation(1) }
  })
  const adopt = (n: number): void => {
    const allocation = { epoch: epoch(n), generation: generation(0), replicas, stale: [] }
    state.step({ kind: 'adopt', allocation })
  }
  const span = { block: blockIndex(4), blocks: 1 }
  const message = {
    ...{ ...NAME, allocation: epoch(6), sequence: sequence(1), block: span.block, origins: [] },
    ...{ settling: false, durable: false, committed: sequence(0), complete: [] },
    payload: new Uint8Array(4096),
  }
  adopt(6)
  state.step({ kind: 'replicate', from: A, message })
  t.ok(state.undecided(span))
  t.notOk(state.awaitsSettling(span), 'open in this allocation: it will be decided')
  adopt(7)
  t.ok(state.awaitsSettling(span), 'open since before: only settling decides it')
  t.end()
})
