// What travels inside the frames of a link: entries, each with its length, a kind, and the fields
// of that kind (docs/protocol.md). Small ones of one turn share a frame; a payload is copied once,
// into the frame, and is a view on the frame where it arrives.
import * as c from 'compact-encoding'
import { assert } from '../../base/assert.js'
import { FRAME_BYTES_MAX } from '../../base/limits.js'
import { boolean, decodeFrom, malformed, plain, record, type CodecState } from '../codecs/codec.js'
import type { MessageCodec } from '../codecs/message-codec.js'
import type { Path } from '../operations.js'

export const ENTRY_KINDS = ['hello', 'ping', 'path', 'request', 'reply', 'notice'] as const
export type EntryKind = (typeof ENTRY_KINDS)[number]

const NOTHING = new Uint8Array(0)

/** One entry on its way out. */
export interface Parcel {
  readonly head: Uint8Array
  readonly payload: Uint8Array
  /** Control goes before data where both share a link. */
  readonly lane: Path
  /** Requests wait at the expense of who asks; answers and notices at the expense of the link. */
  readonly kind: EntryKind
  /** It may wait for a frame that is sent for another one. */
  readonly patient: boolean
  /** Nobody wants it any more; it is not sent. */
  cancelled: boolean
}

export function parcelBytes(parcel: Parcel): number {
  return parcel.head.length + parcel.payload.length
}

interface Numbered {
  readonly kind: EntryKind
  readonly lane: Path
  readonly patient?: boolean
  /** Operation number and request id, or the request id alone, or the operation number alone. */
  readonly numbers: readonly number[]
}

export function messageParcel<T>(entry: Numbered, codec: MessageCodec<T>, message: T): Parcel {
  const state: CodecState = { start: 0, end: 1, buffer: null }
  for (const n of entry.numbers) c.uint.preencode(state, n)
  codec.preencode(state, message)
  const head = Buffer.allocUnsafe(state.end)
  state.buffer = head
  head[state.start++] = ENTRY_KINDS.indexOf(entry.kind)
  for (const n of entry.numbers) c.uint.encode(state, n)
  codec.encode(state, message)
  assert(state.start === state.end, 'a head is as long as announced')
  const payload = codec.payload(message)
  const { kind, lane, patient = false } = entry
  return { head, payload, lane, kind, patient, cancelled: false }
}

/** An entry of the link's own: hello, ping, path. */
export function ownParcel(kind: 'hello' | 'ping' | 'path', body: Uint8Array = NOTHING): Parcel {
  const head = Buffer.concat([Uint8Array.of(ENTRY_KINDS.indexOf(kind)), body])
  return { head, payload: NOTHING, lane: 'control', kind, patient: false, cancelled: false }
}

/** "From now on, this link is my data path." What the fields are for is told in data-path.ts. */
export interface PathAnnouncement {
  /** The sender's path number; grows with every choice it makes. */
  readonly number: number
  /** The newest number it had heard from the receiver. */
  readonly seen: number
  /** It chose this link because the receiver had. */
  readonly following: boolean
}

const safe = plain(Number.MAX_SAFE_INTEGER)
export const pathCodec = record<PathAnnouncement>({
  number: safe,
  seen: safe,
  following: boolean,
})

const lengthBytes = (n: number): number => (n <= 0xfc ? 1 : n <= 0xffff ? 3 : 5)

/** Bytes the parcel takes in a frame. */
export function framedBytes(parcel: Parcel): number {
  const bytes = parcelBytes(parcel)
  return bytes + lengthBytes(bytes)
}

export function buildFrame(
  parcels: readonly Parcel[],
  allocate: (bytes: number) => Uint8Array = bytes => Buffer.allocUnsafe(bytes),
): Uint8Array {
  let end = 0
  for (const parcel of parcels) end += framedBytes(parcel)
  assert(end <= FRAME_BYTES_MAX, 'a message fits a frame')
  const frame = allocate(end)
  const state: CodecState = { start: 0, end, buffer: frame }
  for (const { head, payload } of parcels) {
    c.uint.encode(state, head.length + payload.length)
    frame.set(head, state.start)
    frame.set(payload, state.start + head.length)
    state.start += head.length + payload.length
  }
  return frame
}

/** Calls `take` for every entry, with a state that ends where the entry ends. */
export function readFrame(
  frame: Uint8Array,
  take: (kind: EntryKind, entry: CodecState) => void,
): void {
  const whole: CodecState = { start: 0, end: frame.length, buffer: frame }
  if (frame.length === 0) malformed('an empty frame')
  while (whole.start < whole.end) {
    const length = decodeFrom(c.uint, whole)
    if (length === 0 || length > whole.end - whole.start) malformed('an entry without its end')
    const entry: CodecState = { start: whole.start, end: whole.start + length, buffer: frame }
    whole.start += length
    take(ENTRY_KINDS[decodeFrom(c.uint8, entry)] ?? malformed('an unknown kind of entry'), entry)
  }
}

/** A number at the front of an entry: an operation or a request id. */
export const readNumber = (entry: CodecState): number => decodeFrom(safe, entry)
