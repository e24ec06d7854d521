// Scenarios of the pure core, told event by event: what one replica does about what happens to it.
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
import type { Replica, ShardAllocation } from '../../../src/layout/configuration.js'
import type { Committed, Replicate, Replicated } from '../../../src/net/messages.js'
import type {
  ReplicaEffect,
  ReplicaEvent,
} from '../../../src/storage/replication/replica-events.js'
import { ReplicaState, roleIn } from '../../../src/storage/replication/replica-state.js'
import { testPeer } from '../../helpers/scripted-peers.js'

const [A, B, C, CLIENT] = [testPeer(0xa), testPeer(0xb), testPeer(0xc), testPeer(0x1)]
const NAME = { volume: volumeId(1), shard: shardIndex(0) }
const names = new Map([A, B, C, CLIENT].map((id, i) => [id, 'abcx'[i] ?? '?']))

const replica = (server: typeof A, state: Replica['state'] = 'in-sync', n = 1): Replica => {
  return { server, state, incarnation: incarnation(n) }
}

function allocation(n: number, ...replicas: readonly Replica[]): ShardAllocation {
  return { epoch: epoch(n), generation: generation(0), replicas, stale: [] }
}

/** Effects as short lines: what a reader of a scenario wants to see. */
function told(effect: ReplicaEffect): string {
  switch (effect.kind) {
    case 'apply':
      return `apply ${effect.sequence} block ${effect.block}${effect.durable ? ' durable' : ''}`
    case 'send-replicate': {
      const { sequence: n, settling, durable, origins } = effect.message
      const whose = origins.map(origin => origin.request).join(',')
      const more = `${settling ? ' settling' : ''}${durable ? ' durable' : ''}`
      return `${names.get(effect.to)} < write ${n}${more} of ${whose || '-'}`
    }
    case 'send-replicated': {
      const { sequence: n, resume, applied, durable } = effect.message
      const state = `${resume ? ' resume' : ''}${applied ? '' : ' failing'}`
      const more = `${state}${durable > 0 ? ` durable ${durable}` : ''}`
      return `${names.get(effect.to)} < applied ${n}${more}`
    }
    case 'send-committed': {
      const { sequence: n, skip } = effect.message
      return `${names.get(effect.to)} < committed ${n}${skip ? ' skip' : ''}`
    }
    case 'answer':
      return `answer ${effect.token} ${effect.status}${effect.durable ? ' durable' : ''}`
    case 'park':
      return `park ${effect.token}`
    case 'prepare':
      return `prepare ${effect.key} ${effect.spans.map(s => `${s.block}+${s.blocks}`).join(' ')}`
    case 'gather':
      return `gather ${names.get(effect.from)}`
    case 'read-own':
      return `read ${effect.spans.map(s => `${s.block}+${s.blocks}`).join(' ')}`
    case 'confirm':
      return `confirm ${names.get(effect.server)}`
    case 'answer-caught-up':
      return `counted ${effect.reply.counted} knowing ${effect.reply.executed.length}`
    case 'catch-up':
      return effect.everything ? 'catch up everything' : 'catch up'
    case 'want-epoch':
      return `want ${effect.epoch}`
    case 'discard-unapplied':
    case 'progress':
    case 'stop-catch-up':
      return effect.kind
  }
}

class Scenario {
  readonly state: ReplicaState
  #epoch = 0

  constructor(self = A, n = 1) {
    this.state = new ReplicaState({ name: NAME, self, incarnation: incarnation(n) })
  }

  step(event: ReplicaEvent): string[] {
    return this.state.step(event).map(told)
  }

  adopt(n: number, ...replicas: readonly Replica[]): string[] {
    this.#epoch = n
    return this.step({ kind: 'adopt', allocation: allocation(n, ...replicas) })
  }

  write(token: number, request: number, block: number, blocks = 1, durable = false): string[] {
    const span = { block: blockIndex(block), blocks }
    const ids = { client: CLIENT, request: requestNumber(request), completeBelow: requestNumber(0) }
    const write = { token, ...ids, span, durable, noRoom: false }
    return this.step({ kind: 'client-write', write })
  }

  prepared(key: number, block: number, blocks = 1): string[] {
    const payload = new Uint8Array(4096 * blocks)
    const place = { allocation: epoch(this.#epoch), key, block: blockIndex(block) }
    return this.step({ kind: 'prepared', ...place, payload })
  }

  stored(n: number, durable = 0): string[] {
    const upTo = { sequence: sequence(n), durable: sequence(durable) }
    return this.step({ kind: 'stored', allocation: epoch(this.#epoch), ...upTo })
  }

  replicated(from: typeof A, n: number, more: Partial<Replicated> = {}): string[] {
    const message = { ...NAME, allocation: epoch(this.#epoch), sequence: sequence(n) }
    return this.step({
      kind: 'replicated',
      from,
      message: { ...message, durable: sequence(0), applied: true, resume: false, ...more },
    })
  }

  replicate(n: number, block: number, more: Partial<Replicate> = {}): string[] {
    const message = {
      ...{ ...NAME, allocation: epoch(this.#epoch), sequence: sequence(n) },
      ...{ block: blockIndex(block), origins: [{ client: CLIENT, request: requestNumber(n) }] },
      ...{ settling: false, durable: false, committed: sequence(0), complete: [] },
      payload: new Uint8Array(4096),
    }
    return this.step({ kind: 'replicate', from: A, message: { ...message, ...more } })
  }

  committed(n: number, more: Partial<Committed> = {}): string[] {
    const message = { ...NAME, allocation: epoch(this.#epoch), sequence: sequence(n), skip: false }
    return this.step({ kind: 'committed', from: A, message: { ...message, ...more } })
  }

  caughtUp(from: typeof A, n: number): string[] {
    const event = { kind: 'caught-up', from, allocation: epoch(this.#epoch) } as const
    return this.step({ ...event, applied: sequence(n) })
  }

  /** A settled primary of two in-sync replicas and a syncing one. */
  static primary(): Scenario {
    const s = new Scenario()
    s.adopt(5, replica(A), replica(B), replica(C, 'syncing'))
    const reply = { ok: true, uncommitted: [], executed: [] }
    s.step({ kind: 'gathered', allocation: epoch(5), from: B, reply })
    return s
  }
}

test('roles belong to an incarnation', t => {
  const of = (a: ShardAllocation, n = 1): string =>
    roleIn(a, { self: A, incarnation: incarnation(n) })
  t.equal(of(allocation(5, replica(A), replica(B))), 'primary')
  t.equal(of(allocation(5, replica(B), replica(A))), 'in-sync')
  t.equal(of(allocation(5, replica(B), replica(A, 'syncing'))), 'syncing')
  t.equal(of(allocation(5, replica(B))), 'none')
  t.equal(of(allocation(5, replica(A), replica(B)), 2), 'none', 'after a restart')
  t.end()
})

test('a write is answered when all required have it', t => {
  const s = Scenario.primary()
  t.deepEqual(s.write(1, 10, 7), ['prepare 1 7+1'])
  t.deepEqual(s.prepared(1, 7), ['apply 1 block 7', 'b < write 1 of 10', 'c < write 1 of 10'])
  t.deepEqual(s.replicated(B, 1), [], 'not stored here yet')
  t.deepEqual(s.stored(1), ['b < committed 1', 'c < committed 1', 'answer 1 ok', 'progress'])
  t.deepEqual(s.replicated(C, 1), [], 'nobody waited for the syncing one')
  t.deepEqual(s.write(2, 10, 7), ['answer 2 ok'], 'a retry is acknowledged')
  t.end()
})

test('a write that is to be durable: the answer says whether it is so at all required', t => {
  const s = Scenario.primary()
  const write = (n: number): void => {
    s.write(n, n, n, 1, true)
    s.prepared(n, n)
  }
  const answers = (lines: string[]): string[] => lines.filter(line => line.startsWith('answer'))
  const durable = (n: number): Partial<Replicated> => ({ durable: sequence(n) })

  s.write(1, 1, 1, 1, true)
  const sent = ['apply 1 block 1 durable', 'b < write 1 durable of 1', 'c < write 1 durable of 1']
  t.deepEqual(s.prepared(1, 1), sent)
  s.stored(1, 1)
  t.deepEqual(answers(s.replicated(B, 1, durable(1))), ['answer 1 ok durable'])
  t.deepEqual(s.write(9, 1, 1, 1, true), ['answer 9 ok'], 'of a retry nobody knows')

  write(2)
  s.stored(2, 2)
  t.deepEqual(answers(s.replicated(B, 2, durable(1))), ['answer 2 ok'], 'not at another')
  write(3)
  s.replicated(B, 3, durable(3))
  t.deepEqual(answers(s.stored(3, 2)), ['answer 3 ok'], 'not here')
  write(4)
  s.stored(4, 4)
  t.deepEqual(answers(s.replicated(B, 4, durable(99))), ['answer 4 ok durable'], 'no later than')
  write(5)
  s.stored(5, 5)
  t.deepEqual(answers(s.replicated(B, 5)), ['answer 5 ok'], 'what was not acknowledged')
  t.end()
})

test('a counted replica has to make it durable as well', t => {
  const s = Scenario.primary()
  t.deepEqual(s.caughtUp(C, 0), ['confirm c', 'counted true knowing 0'])
  s.write(1, 1, 1, 1, true)
  s.prepared(1, 1)
  s.stored(1, 1)
  t.deepEqual(s.replicated(B, 1, { durable: sequence(1) }), [])
  t.ok(s.replicated(C, 1).includes('answer 1 ok'), 'it did not')
  s.write(2, 2, 2, 1, true)
  s.prepared(2, 2)
  s.stored(2, 2)
  s.replicated(B, 2, { durable: sequence(2) })
  t.ok(s.replicated(C, 2, { durable: sequence(2) }).includes('answer 2 ok durable'))
  t.end()
})

test('a follower says what it has made durable, also when it resumes', t => {
  const s = new Scenario(B)
  s.adopt(5, replica(A), replica(B))
  t.deepEqual(s.replicate(1, 0, { durable: true }), ['apply 1 block 0 durable'])
  t.deepEqual(s.stored(1, 1), ['a < applied 1 durable 1'])
  s.replicate(2, 1)
  t.deepEqual(s.stored(2), ['a < applied 2 durable 1'])
  t.deepEqual(s.step({ kind: 'path', peer: A, up: true }), ['a < applied 2 resume durable 1'])
  s.adopt(6, replica(A), replica(B))
  s.replicate(1, 0)
  t.deepEqual(s.stored(1), ['a < applied 1'], 'sequences begin anew')
  t.end()
})

test('writes are committed in order, acknowledgements are cumulative', t => {
  const s = Scenario.primary()
  s.write(1, 10, 0)
  s.write(2, 11, 1)
  s.prepared(1, 0)
  s.prepared(2, 1)
  t.deepEqual(s.stored(2), [])
  t.ok(s.state.undecided({ block: blockIndex(1), blocks: 1 }), 'reads of it wait')
  t.deepEqual(
    s.replicated(B, 2).filter(line => line.startsWith('answer')),
    ['answer 1 ok', 'answer 2 ok'],
  )
  t.notOk(s.state.undecided({ block: blockIndex(1), blocks: 1 }))
  t.deepEqual(s.replicated(B, 7), [], 'acknowledging what was never sent changes nothing')
  t.end()
})

test('a retry of what is under way takes the answer over', t => {
  const s = Scenario.primary()
  s.write(1, 10, 0)
  t.deepEqual(s.write(2, 10, 0), ['answer 1 not-serving'], 'also before it is ordered')
  s.prepared(1, 0)
  t.deepEqual(s.write(3, 10, 0), ['answer 2 not-serving'])
  s.stored(1)
  t.ok(s.replicated(B, 1).includes('answer 3 ok'))
  t.end()
})

test('a replica that resumes gets everything it has not acknowledged, in order', t => {
  const s = Scenario.primary()
  for (const n of [1, 2, 3]) {
    s.write(n, n, n)
    s.prepared(n, n)
  }
  s.stored(3)
  s.replicated(B, 1)
  t.deepEqual(s.replicated(B, 1, { resume: true }), [
    'b < write 2 of 2',
    'b < write 3 of 3',
    'b < committed 1',
  ])
  t.end()
})

test('a new allocation answers what is pending, and settles before it serves', t => {
  const s = Scenario.primary()
  s.write(1, 10, 4, 2)
  s.prepared(1, 4, 2)
  s.stored(1)
  t.deepEqual(s.adopt(6, replica(A), replica(B)), [
    'answer 1 stale-epoch',
    'stop-catch-up',
    'gather b',
    'progress',
  ])
  t.deepEqual(s.write(2, 10, 4, 2), ['park 2'])
  const theirs = { block: blockIndex(5), blocks: 3, origins: [] }
  const reply = { ok: true, uncommitted: [theirs], executed: [] }
  const gathered = { kind: 'gathered', allocation: epoch(6), from: B, reply } as const
  t.deepEqual(s.step(gathered), ['read 4+2 6+2'], 'cut where our own writes end')
  const own = (block: number): string[] => {
    const content = { block: blockIndex(block), payload: new Uint8Array(2 * 4096) }
    return s.step({ kind: 'own-content', allocation: epoch(6), ...content })
  }
  t.deepEqual(own(4), ['apply 1 block 4', 'b < write 1 settling of 10'])
  t.deepEqual(own(6), ['apply 2 block 6', 'b < write 2 settling of -'], 'what we never had: nobody')
  t.deepEqual(s.step({ kind: 'own-content-end', allocation: epoch(6) }), [])
  s.stored(2)
  t.notOk(s.state.settled)
  t.deepEqual(s.replicated(B, 2), ['b < committed 2', 'progress', 'progress'])
  t.ok(s.state.settled)
  t.deepEqual(s.write(3, 10, 4, 2), ['answer 3 ok'], 'settled: executed')
  t.end()
})

test('of a write settled in part, a retry executes the rest', t => {
  const s = new Scenario(B)
  s.adopt(5, replica(A), replica(B), replica(C))
  const origins = [{ client: CLIENT, request: requestNumber(10) }]
  s.replicate(1, 4, { origins, payload: new Uint8Array(3 * 4096) })
  // The next primary did not have it, settles one block of it, and is gone.
  s.adopt(6, replica(A), replica(B))
  s.replicate(1, 5, { origins: [], settling: true })
  s.adopt(7, replica(B))
  s.step({
    kind: 'own-content',
    allocation: epoch(7),
    block: blockIndex(4),
    payload: new Uint8Array(4096),
  })
  s.step({
    kind: 'own-content',
    allocation: epoch(7),
    block: blockIndex(5),
    payload: new Uint8Array(4096),
  })
  s.step({
    kind: 'own-content',
    allocation: epoch(7),
    block: blockIndex(6),
    payload: new Uint8Array(4096),
  })
  s.step({ kind: 'own-content-end', allocation: epoch(7) })
  s.stored(3)
  t.deepEqual(s.write(1, 10, 4, 3), ['prepare 1 5+1'])
  t.end()
})

test('a follower applies in sequence, ignores duplicates, asks for what it misses', t => {
  const s = new Scenario(B)
  t.deepEqual(s.adopt(5, replica(A), replica(B)), [
    'stop-catch-up',
    'a < applied 0 resume',
    'progress',
  ])
  t.deepEqual(s.replicate(1, 3), ['apply 1 block 3'])
  t.deepEqual(s.stored(1), ['a < applied 1'])
  t.deepEqual(s.replicate(3, 3), ['a < applied 1 resume'], 'a gap')
  t.deepEqual(s.replicate(4, 3), [], 'asked once')
  t.deepEqual(s.replicate(2, 3), ['apply 2 block 3'])
  t.deepEqual(s.replicate(2, 3), ['a < applied 1'], 'a duplicate is only acknowledged')
  t.deepEqual(s.step({ kind: 'path', peer: A, up: true }), ['a < applied 1 resume'])
  t.deepEqual(s.step({ kind: 'path', peer: C, up: true }), [], 'somebody else')
  t.ok(s.state.undecided({ block: blockIndex(3), blocks: 1 }))
  t.deepEqual(s.committed(2), ['progress'])
  t.notOk(s.state.undecided({ block: blockIndex(3), blocks: 1 }))
  t.deepEqual(s.replicate(3, 3, { allocation: epoch(6) }), ['want 6'], 'never under the old one')
  t.deepEqual(s.replicate(3, 3, { allocation: epoch(4) }), [])
  t.end()
})

test('a syncing replica is counted, made durable, then proposed', t => {
  const s = Scenario.primary()
  s.write(1, 10, 0)
  s.prepared(1, 0)
  t.deepEqual(s.caughtUp(B, 0), ['counted false knowing 0'], 'in-sync already')
  t.deepEqual(s.caughtUp(C, 0), ['counted true knowing 0'], 'what is on its way counts')
  t.deepEqual(s.state.required(), [B, C], 'for writes and FLUSH')
  s.stored(1)
  t.deepEqual(s.replicated(B, 1), [], 'waits for c now')
  const lines = s.replicated(C, 1)
  t.equal(lines[0], 'confirm c', 'it has all from before it was counted')
  t.ok(lines.includes('answer 1 ok'))
  t.deepEqual(s.state.proposed(), [])
  s.step({ kind: 'proposed', allocation: epoch(5), server: C })
  t.deepEqual(s.state.proposed(), [C])
  s.step({ kind: 'path', peer: C, up: false })
  t.deepEqual(s.state.required(), [B, C], 'once proposed it counts to the end of the allocation')
  t.end()
})

test('a replica that was counted knows what the primary has executed', t => {
  const primary = Scenario.primary()
  primary.write(1, 10, 3)
  primary.prepared(1, 3)
  primary.stored(1)
  primary.replicated(B, 1)
  const asked = { kind: 'caught-up', from: C, allocation: epoch(5), applied: sequence(1) } as const
  const answer = primary.state.step(asked).find(effect => effect.kind === 'answer-caught-up')
  if (answer?.kind !== 'answer-caught-up') return t.fail('no answer')
  t.deepEqual(
    answer.reply.executed.map(write => [write.request, write.block]),
    [[10, 3]],
  )

  const s = new Scenario(C)
  s.adopt(5, replica(A), replica(B), replica(C, 'syncing'))
  s.step({ kind: 'counted', allocation: epoch(5), reply: answer.reply })
  s.adopt(6, replica(C), replica(B))
  const reply = { ok: true, uncommitted: [], executed: [] }
  s.step({ kind: 'gathered', allocation: epoch(6), from: B, reply })
  t.deepEqual(s.write(1, 10, 3), ['answer 1 ok'], 'also as the next primary')
  t.end()
})

test('a new primary learns from the others what was executed', t => {
  const s = new Scenario(B)
  s.adopt(5, replica(B), replica(C))
  const executed = [{ client: CLIENT, request: requestNumber(10), block: blockIndex(3), blocks: 1 }]
  const reply = { ok: true, uncommitted: [], executed }
  s.step({ kind: 'gathered', allocation: epoch(5), from: C, reply })
  t.deepEqual(s.write(1, 10, 3), ['answer 1 ok'])
  t.end()
})

test('a broken path uncounts, and frees what waited', t => {
  const s = Scenario.primary()
  s.write(1, 10, 0)
  s.prepared(1, 0)
  s.caughtUp(C, 0)
  s.stored(1)
  s.replicated(B, 1)
  t.ok(s.step({ kind: 'path', peer: C, up: false }).includes('answer 1 ok'))
  t.deepEqual(s.state.required(), [B])
  t.end()
})

test('a syncing replica that missed too much is told to skip, and compares everything', t => {
  const primary = new ReplicaState(
    { name: NAME, self: A, incarnation: incarnation(1) },
    { backlogBytes: 4096, window: 10 },
  )
  primary.step({ kind: 'adopt', allocation: allocation(5, replica(A), replica(C, 'syncing')) })
  for (let n = 1; n <= 4; n++) {
    const span = { block: blockIndex(n), blocks: 1 }
    const ids = { client: CLIENT, request: requestNumber(n), completeBelow: requestNumber(0) }
    const write = { token: n, ...ids, span, durable: false, noRoom: false }
    primary.step({ kind: 'client-write', write })
    const place = { allocation: epoch(5), key: n, block: blockIndex(n) }
    primary.step({ kind: 'prepared', ...place, payload: new Uint8Array(4096) })
    const upTo = { sequence: sequence(n), durable: sequence(0) }
    primary.step({ kind: 'stored', allocation: epoch(5), ...upTo })
  }
  const message = {
    ...NAME,
    allocation: epoch(5),
    sequence: sequence(1),
    durable: sequence(0),
    applied: true,
    resume: true,
  }
  const lines = primary.step({ kind: 'replicated', from: C, message }).map(told)
  t.deepEqual(lines, ['c < committed 4 skip', 'c < committed 4'])

  const s = new Scenario(C)
  s.adopt(5, replica(A), replica(C, 'syncing'))
  s.replicate(1, 0)
  t.deepEqual(s.committed(4, { skip: true }), [
    'progress',
    'discard-unapplied',
    'catch up everything',
    'a < applied 4',
  ])
  t.deepEqual(s.replicate(5, 0), ['apply 5 block 0'], 'it goes on after that')
  t.end()
})

test('what was in flight at a syncing replica is superseded', t => {
  const s = new Scenario(B)
  s.adopt(5, replica(A), replica(B))
  s.replicate(1, 3)
  t.deepEqual(s.adopt(6, replica(A), replica(B, 'syncing')), [
    'stop-catch-up',
    'discard-unapplied',
    'catch up',
    'a < applied 0 resume',
    'progress',
  ])
  t.notOk(s.state.undecided({ block: blockIndex(3), blocks: 1 }))
  t.throws(() => s.state.gather(), /only in-sync/, 'nor is it gathered from')
  t.end()
})

test('a replica that cannot store makes the primary refuse more, up front', t => {
  const s = Scenario.primary()
  s.replicated(B, 0, { applied: false })
  t.deepEqual(s.write(1, 10, 0), ['answer 1 disk-full'])
  s.replicated(B, 0)
  t.deepEqual(s.write(2, 10, 0), ['prepare 1 0+1'], 'until it can')
  s.step({ kind: 'store-failing' })
  t.deepEqual(s.write(3, 11, 0), ['answer 3 disk-full'], 'or we cannot')
  t.end()
})

test('a counted replica that cannot store is not waited for, nor counted', t => {
  const s = Scenario.primary()
  s.caughtUp(C, 0)
  s.write(1, 10, 0)
  s.prepared(1, 0)
  s.stored(1)
  s.replicated(B, 1)
  t.ok(s.replicated(C, 0, { applied: false }).includes('answer 1 ok'))
  t.deepEqual(s.state.required(), [B])
  t.deepEqual(s.caughtUp(C, 1), ['counted false knowing 0'], 'as long as it is so')
  t.deepEqual(s.write(2, 11, 0), ['prepare 2 0+1'], 'and does not stand in the way')
  s.replicated(C, 1)
  t.match(s.caughtUp(C, 1).join('; '), /counted true/, 'until it can')
  t.end()
})

test('what a shard waits for, and whom', t => {
  const waiting = (s: Scenario): string =>
    [...s.state.waiting()].map(([id, what]) => `${names.get(id)} ${what}`).join(', ')
  const s = Scenario.primary()
  t.equal(waiting(s), '')
  s.write(1, 10, 0)
  s.prepared(1, 0)
  t.equal(waiting(s), 'b write 1, a write 1', 'not for one that is syncing')
  s.stored(1)
  t.equal(waiting(s), 'b write 1')
  s.replicated(B, 1)
  t.equal(waiting(s), '')
  s.replicated(B, 1, { applied: false })
  t.equal(waiting(s), 'b write 2', 'also with nothing to write, if it could not')
  s.replicated(B, 1)
  s.step({ kind: 'store-failing' })
  t.equal(waiting(s), 'a write 2')
  s.adopt(9, replica(A), replica(B))
  t.equal(waiting(s), 'b its list', 'a new allocation begins with gathering')
  t.end()
})
