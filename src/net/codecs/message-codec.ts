// A message on the wire: a header by codec, then, for messages that carry data, the payload as it
// is, up to the end of the message; one of zeroes only is not sent, but its length. The payload is
// copied once, into the frame; what is decoded is a view on the frame that arrived.
import * as c from 'compact-encoding'
import { assert } from '../../base/assert.js'
import { decodeFrom, malformed, type Codec, type CodecState } from './codec.js'

const NOTHING = new Uint8Array(0)

export interface MessageCodec<T> {
  /** The header. */
  preencode(state: CodecState, message: T): void
  encode(state: CodecState, message: T): void
  payload(message: T): Uint8Array
  /** Takes all of `state`: what the header leaves is the payload. */
  decode(state: CodecState): T
}

/** A message without payload. */
export function plainMessage<T>(header: Codec<T>): MessageCodec<T> {
  return {
    preencode: (state, message) => header.preencode(state, message),
    encode: (state, message) => header.encode(state, message),
    payload: () => NOTHING,
    decode(state) {
      const message = decodeFrom(header, state)
      if (state.start !== state.end) malformed('bytes are left over')
      return message
    },
  }
}

/** Lengths that a payload may have: none, or a multiple of `unit` from `least` to `most`. */
export interface PayloadRule {
  readonly unit: number
  readonly least: number
  readonly most: number
}

function fits(rule: PayloadRule, length: number): boolean {
  return length >= rule.least && length <= rule.most && length % rule.unit === 0
}

/** Discarded ranges and holes are most of what is all zeroes; below, little is to be won. */
const ZEROES_LEAST = 4_096
const ZEROES = new Uint8Array(4_096)

/** How many bytes of zeroes stand for the payload; 0: it is sent as it is. */
function zeroesOf(payload: Uint8Array): number {
  if (payload.length < ZEROES_LEAST || payload[0] !== 0) return 0
  for (let at = 0; at < payload.length; at += ZEROES.length) {
    const piece = payload.subarray(at, at + ZEROES.length)
    if (Buffer.compare(piece, ZEROES.subarray(0, piece.length)) !== 0) return 0
  }
  return payload.length
}

export function payloadMessage<T extends { readonly payload: Uint8Array }>(
  header: Codec<Omit<T, 'payload'>>,
  rule: PayloadRule,
): MessageCodec<T> {
  return {
    preencode(state, message) {
      header.preencode(state, message)
      c.uint.preencode(state, zeroesOf(message.payload))
    },
    encode(state, message) {
      header.encode(state, message)
      c.uint.encode(state, zeroesOf(message.payload))
    },
    payload({ payload }) {
      assert(fits(rule, payload.length), 'a payload has a length that its message allows')
      return zeroesOf(payload) > 0 ? NOTHING : payload
    },
    decode(state) {
      const fields = decodeFrom(header, state)
      const zeroes = decodeFrom(c.uint, state)
      const length = state.end - state.start
      if (zeroes > 0 && length > 0) malformed('a payload beside its zeroes')
      if (!fits(rule, zeroes > 0 ? zeroes : length)) malformed('a payload of a wrong length')
      const message = fields as { payload?: Uint8Array }
      message.payload =
        zeroes > 0 ? new Uint8Array(zeroes) : state.buffer!.subarray(state.start, state.end)
      state.start = state.end
      return fields as unknown as T
    },
  }
}

/** A whole message, payload included, as bytes inside another message. */
export function encodeMessage<T>(codec: MessageCodec<T>, message: T): Uint8Array {
  const state: CodecState = { start: 0, end: 0, buffer: null }
  codec.preencode(state, message)
  const payload = codec.payload(message)
  const bytes = new Uint8Array(state.end + payload.length)
  state.buffer = bytes
  codec.encode(state, message)
  bytes.set(payload, state.start)
  return bytes
}

/** Every failure is a SwarmdiskError 'protocol'. */
export function decodeMessage<T>(codec: MessageCodec<T>, bytes: Uint8Array): T {
  return codec.decode({ start: 0, end: bytes.length, buffer: bytes })
}
