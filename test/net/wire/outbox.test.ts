// What shares a frame, what goes first, and what happens when the link asks to wait.
import test from 'tape'
import {
  FRAME_BATCH_BYTES,
  LINK_OUTBOX_BYTES_MAX,
  NOTICE_PATIENCE_MS,
} from '../../../src/base/limits.js'
import type { Path } from '../../../src/net/operations.js'
import { readFrame, type EntryKind, type Parcel } from '../../../src/net/wire/entry.js'
import { Outbox } from '../../../src/net/wire/outbox.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

const KINDS = { request: 3, reply: 4, notice: 5 } as const

function parcel(lane: Path, kind: keyof typeof KINDS, size: number): Parcel {
  const head = Uint8Array.of(KINDS[kind])
  return { head, payload: new Uint8Array(size), lane, kind, patient: false, cancelled: false }
}

function fixture(): {
  readonly outbox: Outbox
  readonly clock: VirtualClock
  readonly frames: string[]
  readonly state: { open: boolean; overflows: number }
} {
  const frames: string[] = []
  const state = { open: true, overflows: 0 }
  const clock = new VirtualClock()
  const outbox = new Outbox({
    clock,
    allocate: bytes => Buffer.allocUnsafe(bytes),
    send(frame) {
      const entries: [EntryKind, number][] = []
      readFrame(frame, (kind, entry) => entries.push([kind, entry.end - entry.start]))
      frames.push(entries.map(([kind, size]) => `${kind} ${size}`).join(', '))
      return state.open
    },
    overflow: () => state.overflows++,
  })
  return { outbox, clock, frames, state }
}

function patientNotice(size: number): Parcel {
  return { ...parcel('data', 'notice', size), patient: true }
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('small entries of one turn share a frame, control first', async t => {
  const { outbox, frames } = fixture()
  outbox.push(parcel('data', 'request', 10))
  outbox.push(parcel('data', 'notice', 20))
  outbox.push(parcel('control', 'reply', 30))
  t.deepEqual(frames, [], 'nothing goes out in the same turn')
  await turn()
  t.deepEqual(frames, ['reply 30, request 10, notice 20'])
  t.end()
})

test('what follows from one turn by promises shares a frame', async t => {
  const { outbox, frames } = fixture()
  const later = async (awaits: number, size: number): Promise<void> => {
    for (let i = 0; i < awaits; i++) await Promise.resolve()
    outbox.push(parcel('data', 'reply', size))
  }
  await Promise.all([later(0, 10), later(3, 20), later(9, 30)])
  await turn()
  t.deepEqual(frames, ['reply 10, reply 20, reply 30'])
  t.end()
})

test('a frame is not filled beyond the batch size, and large entries go alone', async t => {
  const { outbox, frames } = fixture()
  for (let i = 0; i < 5; i++) outbox.push(parcel('data', 'request', FRAME_BATCH_BYTES / 2 - 100))
  outbox.push(parcel('data', 'request', 1024 * 1024))
  await turn()
  t.deepEqual(
    frames.map(frame => frame.split(', ').length),
    [2, 2, 1, 1],
  )
  t.end()
})

test('a slow link: nothing is sent until it drains; what was cancelled never is', async t => {
  const { outbox, frames, state } = fixture()
  state.open = false
  outbox.push(parcel('data', 'request', 1))
  await turn()
  const cancelled = parcel('data', 'request', 2)
  outbox.push(cancelled)
  outbox.push(parcel('data', 'notice', 3))
  outbox.push(parcel('data', 'reply', 4))
  outbox.push(parcel('control', 'notice', 5))
  await turn()
  t.deepEqual(frames, ['request 1'])
  cancelled.cancelled = true
  outbox.forgetData()
  state.open = true
  outbox.drain()
  await turn()
  t.deepEqual(frames, ['request 1', 'notice 5, reply 4'], 'requests and notices are forgotten')
  t.end()
})

test('what is patient goes with the next frame, in the order in which it came', async t => {
  const { outbox, clock, frames } = fixture()
  outbox.push(patientNotice(1))
  outbox.push(patientNotice(2))
  await clock.advance(NOTICE_PATIENCE_MS - 1)
  t.deepEqual(frames, [], 'it makes no frame of its own')
  outbox.push(parcel('data', 'request', 3))
  await turn()
  t.deepEqual(frames, ['notice 1, notice 2, request 3'])
  await clock.advance(10 * NOTICE_PATIENCE_MS)
  t.equal(frames.length, 1, 'nothing is sent twice')
  t.end()
})

test('what is patient goes alone when no frame came, each after its own time', async t => {
  const { outbox, clock, frames } = fixture()
  outbox.push(patientNotice(1))
  outbox.push(parcel('data', 'request', 2))
  await turn()
  await clock.advance(NOTICE_PATIENCE_MS - 1)
  outbox.push(patientNotice(3))
  await clock.advance(NOTICE_PATIENCE_MS - 1)
  await turn()
  t.deepEqual(frames, ['notice 1, request 2'], 'the timer of the first one was not its own')
  await clock.advance(1)
  await turn()
  t.deepEqual(frames, ['notice 1, request 2', 'notice 3'])
  outbox.push(patientNotice(4))
  outbox.close()
  await clock.advance(NOTICE_PATIENCE_MS)
  await turn()
  t.equal(frames.length, 2, 'a closed outbox sends nothing')
  t.end()
})

test('answers and notices that pile up overflow; the payloads of requests do not', async t => {
  const { outbox, frames, state } = fixture()
  state.open = false
  outbox.push(parcel('data', 'notice', 1))
  await turn()
  const big = new Uint8Array(LINK_OUTBOX_BYTES_MAX / 4)
  const piled = (kind: 'request' | 'notice'): void =>
    outbox.push({ ...parcel('data', kind, 0), payload: big })
  for (let i = 0; i < 6; i++) piled('request')
  t.equal(state.overflows, 0)
  for (let i = 0; i < 6; i++) piled('notice')
  t.equal(state.overflows, 1, 'once')
  outbox.drain()
  await turn()
  t.equal(frames.length, 1, 'a closed outbox sends nothing')
  t.end()
})
