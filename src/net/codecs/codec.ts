// The building blocks of every codec: compact-encoding underneath, and on top of it the checks that
// bytes from a peer or a disk need before anybody trusts them. A decoder checks each length against
// what is really there before it allocates, and each number against its range; what does not fit is
// a SwarmdiskError 'protocol'. An encoder asserts the same limits: a value of ours that breaks them
// is a bug.
import * as c from 'compact-encoding'
import { assert, AssertionFailure } from '../../base/assert.js'
import { isSwarmdiskError, SwarmdiskError } from '../../base/errors.js'

export interface CodecState {
  start: number
  end: number
  buffer: Uint8Array | null
}

/** The interface of compact-encoding's own encodings. */
export interface Codec<T> {
  preencode(state: CodecState, value: T): void
  encode(state: CodecState, value: T): void
  decode(state: CodecState): T
}

export function malformed(what: string): never {
  throw new SwarmdiskError('protocol', `malformed message: ${what}`)
}

export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const state: CodecState = { start: 0, end: 0, buffer: null }
  codec.preencode(state, value)
  state.buffer = Buffer.allocUnsafe(state.end)
  codec.encode(state, value)
  assert(state.start === state.end, 'an encoder wrote as many bytes as it had announced')
  return state.buffer
}

/** Decodes all of `bytes`; every failure is a SwarmdiskError 'protocol'. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const state: CodecState = { start: 0, end: bytes.length, buffer: bytes }
  const value = decodeFrom(codec, state)
  if (state.start !== state.end) malformed('bytes are left over')
  return value
}

/** Decodes one value and moves `state` behind it; every failure is a SwarmdiskError 'protocol'. */
export function decodeFrom<T>(codec: Codec<T>, state: CodecState): T {
  try {
    return codec.decode(state)
  } catch (error) {
    if (error instanceof AssertionFailure || isSwarmdiskError(error)) throw error
    // compact-encoding reports what is out of bounds as a plain Error.
    throw new SwarmdiskError('protocol', 'malformed message: it ends too early', { cause: error })
  }
}

/** Whole numbers below `limit`, branded by `make`. */
export function integer<T extends number>(make: (n: number) => T, limit: number): Codec<T> {
  return {
    preencode: (state, value) => c.uint.preencode(state, value),
    encode(state, value) {
      assert(Number.isSafeInteger(value) && value >= 0 && value < limit, 'number fits its field')
      c.uint.encode(state, value)
    },
    decode(state) {
      const value = c.uint.decode(state)
      if (!(value < limit)) malformed('a number is out of range')
      return make(value)
    },
  }
}

export const plain = (limit: number): Codec<number> => integer((n: number) => n, limit)

export const boolean: Codec<boolean> = {
  preencode: (state, value) => c.uint8.preencode(state, value ? 1 : 0),
  encode: (state, value) => c.uint8.encode(state, value ? 1 : 0),
  decode(state) {
    const value = c.uint8.decode(state)
    if (value > 1) malformed('neither true nor false')
    return value === 1
  },
}

/** A finite number that is not negative. */
export const real: Codec<number> = {
  preencode: (state, value) => c.float64.preencode(state, value),
  encode: (state, value) => c.float64.encode(state, value),
  decode(state) {
    const value = c.float64.decode(state)
    if (!Number.isFinite(value) || value < 0) malformed('a number is negative or not finite')
    return value
  },
}

/** UTF-8 of at most `limit` bytes. */
export function text(limit: number): Codec<string> {
  return {
    preencode: (state, value) => c.string.preencode(state, value),
    encode(state, value) {
      assert(Buffer.byteLength(value) <= limit, 'text fits its field')
      c.string.encode(state, value)
    },
    decode(state) {
      const length = c.uint.decode(state)
      if (length > limit || length > state.end - state.start) malformed('a text is too long')
      const start = state.start
      state.start += length
      return Buffer.from(state.buffer!.buffer, state.buffer!.byteOffset + start, length).toString()
    },
  }
}

/** Text for people: what is too long loses its end instead of being a bug. */
export function sentence(limit: number): Codec<string> {
  const exact = text(limit)
  // A character has at most three bytes per UTF-16 unit.
  const clip = (value: string): string =>
    value.length * 3 <= limit || Buffer.byteLength(value) <= limit
      ? value
      : value.slice(0, Math.floor(limit / 3))
  return {
    preencode: (state, value) => exact.preencode(state, clip(value)),
    encode: (state, value) => exact.encode(state, clip(value)),
    decode: state => exact.decode(state),
  }
}

/** `bytes` bytes, which are hexadecimal digits in memory. */
export function hex<T extends string>(make: (digits: string) => T, bytes: number): Codec<T> {
  return {
    preencode(state, value) {
      assert(value.length === bytes * 2, 'an id has its full length')
      state.end += bytes
    },
    encode(state, value) {
      Buffer.from(value, 'hex').copy(state.buffer!, state.start)
      state.start += bytes
    },
    decode(state) {
      if (state.end - state.start < bytes) malformed('it ends too early')
      const { buffer, byteOffset } = state.buffer!
      const digits = Buffer.from(buffer, byteOffset + state.start, bytes).toString('hex')
      state.start += bytes
      return make(digits)
    },
  }
}

/** Bytes with their length; what is decoded is a view. */
export function bytes(limit: number): Codec<Uint8Array> {
  return {
    preencode: (state, value) => c.uint8array.preencode(state, value),
    encode(state, value) {
      assert(value.length <= limit, 'bytes fit their field')
      c.uint8array.encode(state, value)
    },
    decode(state) {
      const length = c.uint.decode(state)
      if (length > limit || length > state.end - state.start) malformed('bytes are too long')
      return state.buffer!.subarray(state.start, (state.start += length))
    },
  }
}

const EMPTY: readonly never[] = []
/** Above this a list grows with what is really there, whatever its length is said to be. */
const EXACT_ITEMS_MAX = 64

/** At most `limit` items; `least` is the number of bytes the smallest item takes. */
export function list<T>(item: Codec<T>, limit: number, least = 1): Codec<readonly T[]> {
  return {
    preencode(state, value) {
      c.uint.preencode(state, value.length)
      for (const one of value) item.preencode(state, one)
    },
    encode(state, value) {
      assert(value.length <= limit, 'a list fits its field')
      c.uint.encode(state, value.length)
      for (const one of value) item.encode(state, one)
    },
    decode(state) {
      const length = c.uint.decode(state)
      if (length > limit || length * least > state.end - state.start)
        malformed('a list is too long')
      if (length === 0) return EMPTY
      // Most lists are short and kept for long: made in their size, they have no room to spare.
      const value = length <= EXACT_ITEMS_MAX ? new Array<T>(length) : []
      for (let i = 0; i < length; i++) value[i] = item.decode(state)
      return value
    },
  }
}

export function nullable<T>(inner: Codec<T>): Codec<T | null> {
  return {
    preencode(state, value) {
      boolean.preencode(state, value !== null)
      if (value !== null) inner.preencode(state, value)
    },
    encode(state, value) {
      boolean.encode(state, value !== null)
      if (value !== null) inner.encode(state, value)
    },
    decode: state => (boolean.decode(state) ? inner.decode(state) : null),
  }
}

/** One of a few words, as its place in the list: append only. */
export function word<const W extends string>(words: readonly W[]): Codec<W> {
  const numbers = new Map(words.map((one, place) => [one, place]))
  assert(numbers.size === words.length, 'every word stands once')
  return {
    preencode: state => c.uint8.preencode(state, 0),
    encode(state, value) {
      const number = numbers.get(value)
      assert(number !== undefined, 'a word is one of its list')
      c.uint8.encode(state, number)
    },
    decode(state) {
      return words[c.uint8.decode(state)] ?? malformed('an unknown word')
    },
  }
}

export type Fields<T> = { readonly [K in keyof T]-?: Codec<T[K]> }

/** An object, field by field in the order of `fields`; no names on the wire. */
export function record<T extends object>(fields: Fields<T>): Codec<T> {
  const names = Object.keys(fields) as (keyof T)[]
  const codecs = names.map(name => fields[name] as Codec<unknown>)
  return {
    preencode(state, value) {
      for (let i = 0; i < names.length; i++) codecs[i]!.preencode(state, value[names[i]!])
    },
    encode(state, value) {
      for (let i = 0; i < names.length; i++) codecs[i]!.encode(state, value[names[i]!])
    },
    decode(state) {
      const value: Partial<T> = {}
      for (let i = 0; i < names.length; i++)
        value[names[i]!] = codecs[i]!.decode(state) as T[keyof T]
      return value as T
    },
  }
}

type Variants<U extends { readonly kind: string }> = {
  readonly [K in U['kind']]: Codec<Omit<Extract<U, { readonly kind: K }>, 'kind'>>
}

/**
 * A union by `kind`: the number of the kind, which is its place in `variants`, then the fields of
 * that kind. Append only.
 */
export function union<U extends { readonly kind: string }>(variants: Variants<U>): Codec<U> {
  const kind = word(Object.keys(variants) as U['kind'][])
  const codecOf = (name: U['kind']): Codec<unknown> => variants[name]
  return {
    preencode(state, value) {
      kind.preencode(state, value.kind)
      codecOf(value.kind).preencode(state, value)
    },
    encode(state, value) {
      kind.encode(state, value.kind)
      codecOf(value.kind).encode(state, value)
    },
    decode(state) {
      const name = kind.decode(state)
      return Object.assign({ kind: name }, codecOf(name).decode(state)) as unknown as U
    },
  }
}

/** Checks more of a decoded value than its codec can: `problem` says what is wrong, or nothing. */
export function checked<T>(inner: Codec<T>, problem: (value: T) => string | null): Codec<T> {
  return {
    preencode: (state, value) => inner.preencode(state, value),
    encode: (state, value) => inner.encode(state, value),
    decode(state) {
      const value = inner.decode(state)
      const wrong = problem(value)
      return wrong === null ? value : malformed(wrong)
    },
  }
}

/** The same bytes for another shape in memory. */
export function mapped<Inner, Outer>(
  inner: Codec<Inner>,
  there: (outer: Outer) => Inner,
  back: (inner: Inner) => Outer,
): Codec<Outer> {
  return {
    preencode: (state, value) => inner.preencode(state, there(value)),
    encode: (state, value) => inner.encode(state, there(value)),
    decode: state => back(inner.decode(state)),
  }
}
