// The order in which a manager performs what Raft wants done, on a disk that takes its time or
// fails: the core here does nothing but hand out the effects that a test has prepared.
import test from 'tape'
import { SwarmdiskError } from '../../../src/base/errors.js'
import { silentLog } from '../../../src/base/log.js'
import { RaftDriver } from '../../../src/manager/history/raft-driver.js'
import type { RaftBatch } from '../../../src/manager/history/raft-store.js'
import type { RaftEffects, RaftEvent, RaftSend } from '../../../src/manager/raft/raft-types.js'
import type { LogEntry, LogIndex, RaftMessage } from '../../../src/net/manager-messages.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { at, emptyEntry, hardState, snapshotAt, term } from './raft-store-fixture.js'

const OTHER = testPeer(2)
const NONE: RaftEffects = { hardState: null, snapshot: null, entries: [], send: [], commit: null }
const HEARTBEAT = { kind: 'heartbeat-reply', term: term(1), sentAt: 0 } as const

function message(urgent: boolean, from: RaftMessage = HEARTBEAT): RaftSend {
  return { to: OTHER, urgent, message: from }
}

/** A disk on which each write ends when the test says so. */
class SlowStore {
  readonly begun: RaftBatch[] = []
  full = false
  readonly #ends: { done: () => void; fail: (error: Error) => void }[] = []

  persist(batch: RaftBatch): Promise<void> {
    this.begun.push(batch)
    return new Promise((done, fail) => this.#ends.push({ done, fail }))
  }

  async end(error?: Error): Promise<void> {
    const first = this.#ends.shift()
    if (!first) throw new Error('nothing is being written')
    if (error) first.fail(error)
    else first.done()
    await turn()
  }

  compact = () => Promise.resolve()
  snapshot = () => Promise.resolve(null)
  records = () => Promise.resolve([])
  close = () => Promise.resolve()
}

function setUp() {
  const clock = new VirtualClock()
  const store = new SlowStore()
  const done: string[] = []
  const events: RaftEvent[] = []
  const log: LogEntry[] = []
  let prepared: RaftEffects = NONE
  const core = {
    commit: at(0),
    deadline: null,
    entry: (index: LogIndex) => log.find(entry => entry.index === index) ?? null,
    step(event: RaftEvent): RaftEffects {
      events.push(event)
      const effects = prepared
      prepared = NONE
      if (effects.snapshot) log.length = 0
      log.push(...effects.entries)
      return effects
    },
  }
  const options = {
    ...{ core, store, clock, random: new SeededRandom(1), log: silentLog },
    send: (_: unknown, { kind }: RaftMessage) => void done.push(`send ${kind}`),
    snapshot: () => snapshotAt(0, 0),
    apply: (entries: readonly LogEntry[]) => {
      done.push(`apply ${entries.map(entry => entry.index).join(' ')}`)
    },
    install: ({ index }: { index: LogIndex }) => void done.push(`install ${index}`),
    stepped: () => undefined,
  }
  const driver = new RaftDriver(options, at(0))
  /** A step with these effects. */
  const step = (effects: Partial<RaftEffects>): void => {
    prepared = { ...NONE, ...effects }
    driver.step({ kind: 'tick' })
  }
  return { clock, store, driver, done, events, step }
}

async function turn(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

test('durable first, then sent, then applied; and the core hears of it', async t => {
  const { store, done, events, step } = setUp()
  step({ entries: [emptyEntry(1, 1)], send: [message(false)], commit: at(1) })
  await turn()
  t.equal(store.begun.length, 1)
  t.deepEqual(done, [], 'nothing before it is durable')
  await store.end()
  t.deepEqual(done, ['send heartbeat-reply', 'apply 1'])
  t.deepEqual(events.at(-1), { kind: 'persisted', index: 1, term: 1 })
})

test('urgent messages overtake entries, but no promise', async t => {
  const { store, done, step } = setUp()
  step({ entries: [emptyEntry(1, 1)], send: [message(true)] })
  t.deepEqual(done, ['send heartbeat-reply'], 'at once')
  await turn()
  step({ hardState: hardState(2), send: [message(true)] })
  step({ send: [message(true)] })
  await turn()
  t.equal(done.length, 1, 'a term that is not durable is not spoken in')
  await store.end()
  await store.end()
  t.equal(done.length, 3)
})

test('what comes while the disk is busy is one write, without what was replaced', async t => {
  const { store, step } = setUp()
  step({ hardState: hardState(1) })
  await turn()
  step({ entries: [emptyEntry(1, 1), emptyEntry(2, 1)], commit: at(1) })
  step({ entries: [emptyEntry(2, 2)], hardState: hardState(2) })
  await store.end()
  const second = store.begun[1]
  t.deepEqual(
    second?.entries.map(entry => [entry.index, entry.term]),
    [
      [1, 1],
      [2, 2],
    ],
  )
  t.deepEqual(second?.hardState, hardState(2))
  t.equal(second?.commit, 1)
})

test('a write says nothing of what a snapshot behind it commits', async t => {
  const { store, done, step } = setUp()
  step({ hardState: hardState(1) })
  await turn()
  step({ entries: [emptyEntry(1, 1), emptyEntry(2, 1)], commit: at(1) })
  step({ snapshot: snapshotAt(9, 2), commit: at(9) })
  await store.end()
  const [, entries] = store.begun
  // Whoever dies now has a log that ends at 2. "Committed up to 9" would make it a damaged one.
  t.equal(entries?.snapshot, null)
  t.equal(entries?.commit, 1)
  await store.end()
  const [, , snapshot] = store.begun
  t.equal(snapshot?.snapshot?.index, 9)
  t.equal(snapshot?.commit, 9)
  t.deepEqual(done, ['apply 1'])
  await store.end()
  t.deepEqual(done, ['apply 1', 'install 9'])
})

test('a disk that fails silences this manager; the same is tried again', async t => {
  const { clock, store, driver, done, events, step } = setUp()
  step({ entries: [emptyEntry(1, 1)], send: [message(false)] })
  await turn()
  await store.end(new SwarmdiskError('disk-full', 'The disk is full.'))
  t.equal(driver.failure?.code, 'disk-full')
  const heard = events.length
  driver.receive(OTHER, HEARTBEAT)
  t.equal(events.length, heard, 'it hears nothing')
  t.deepEqual(done, [], 'and says nothing')
  await clock.until('it is tried again', () => store.begun.length === 2)
  t.equal(store.begun[1], store.begun[0])
  await store.end()
  t.equal(driver.failure, null)
  t.deepEqual(done, ['send heartbeat-reply'])
})
