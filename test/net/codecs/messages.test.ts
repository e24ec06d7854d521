// Every message of every operation survives the trip into bytes and back, as a view where it has a
// payload; damaged bytes are refused as protocol errors.
import * as c from 'compact-encoding'
import test from 'tape'
import { decode, encode, type Codec } from '../../../src/net/codecs/codec.js'
import {
  decodeMessage,
  encodeMessage,
  type MessageCodec,
} from '../../../src/net/codecs/message-codec.js'
import { operationNames, operations } from '../../../src/net/operations.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { assertSurvivesDamage } from './damage.js'
import { documentedKinds } from './documented-kinds.js'
import { messageSamples } from './message-samples.js'

const ROUNDS = 25

interface Case {
  readonly name: string
  readonly codec: MessageCodec<unknown>
  readonly sample: (random: SeededRandom) => unknown
}

/** Every request and every reply. */
const cases: readonly Case[] = operationNames.flatMap(name => {
  const { request, reply } = operations[name] as {
    readonly request: MessageCodec<unknown>
    readonly reply: MessageCodec<unknown> | null
  }
  const samples = messageSamples[name]
  const asked: Case = { name: `${name} request`, codec: request, sample: samples.request }
  if (!reply || !samples.reply) return [asked]
  return [asked, { name: `${name} reply`, codec: reply, sample: samples.reply }]
})

function toBytes({ codec }: Case, message: unknown): Uint8Array {
  const header = encode(codec as unknown as Codec<unknown>, message)
  return Buffer.concat([header, codec.payload(message)])
}

function fromBytes({ codec }: Case, bytes: Uint8Array): unknown {
  return decode(codec as unknown as Codec<unknown>, bytes)
}

/** Buffers and plain arrays of bytes compare alike. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)].map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}

test('messages of all operations round trip', t => {
  for (const one of cases) {
    const random = new SeededRandom(11)
    const messages = Array.from({ length: ROUNDS }, () => one.sample(random))
    const back = messages.map(message => fromBytes(one, toBytes(one, message)))
    t.deepEqual(back.map(plain), messages.map(plain), one.name)
  }
  t.end()
})

test('a payload of zeroes travels as its length', t => {
  const codec = operations.write.request
  const write = messageSamples.write.request(new SeededRandom(5))
  const sizeOf = (payload: Uint8Array): number => encodeMessage(codec, { ...write, payload }).length
  for (const length of [4096, 5000, 2 ** 20]) {
    const payload = new Uint8Array(length)
    t.ok(sizeOf(payload) < 100, `${length} zeroes`)
    const back = decodeMessage(codec, encodeMessage(codec, { ...write, payload }))
    t.ok(Buffer.from(back.payload).equals(payload))
    payload[length - 1] = 1
    t.ok(sizeOf(payload) > length, 'one byte that is not zero, the last one')
    const other = decodeMessage(codec, encodeMessage(codec, { ...write, payload }))
    t.ok(Buffer.from(other.payload).equals(payload))
  }
  t.ok(sizeOf(new Uint8Array(4095)) > 4095, 'a short one as it is')
  t.end()
})

test('zeroes and a payload, or zeroes of a length that is not allowed, are refused', t => {
  const codec = operations.write.request
  const write = messageSamples.write.request(new SeededRandom(5))
  const bytes = encodeMessage(codec, { ...write, payload: new Uint8Array(4096) })
  t.throws(() => decodeMessage(codec, Buffer.concat([bytes, Uint8Array.of(0)])), /beside/)
  const header = bytes.subarray(0, -3)
  t.equal(header.length + 3, bytes.length)
  for (const length of [2 ** 20 + 1, 2 ** 40]) {
    const wrong = Buffer.concat([header, encode(c.uint, length)])
    t.throws(() => decodeMessage(codec, wrong), /wrong length/)
  }
  t.end()
})

test('kinds of Raft messages are the bytes that docs/protocol.md says', t => {
  const random = new SeededRandom(3)
  const raft = cases.find(one => one.name === 'raft request')!
  const kinds = new Map<string, number>()
  for (let i = 0; i < 200; i++) {
    const message = raft.sample(random) as { readonly kind: string }
    kinds.set(message.kind, toBytes(raft, message)[0]!)
  }
  const byNumber = [...kinds].sort(([, a], [, b]) => a - b)
  t.deepEqual(byNumber, [...documentedKinds('### Raft messages')])
  t.end()
})

test('a message in a message survives the trip, with its payload', t => {
  const write = messageSamples.write.request(new SeededRandom(4))
  const bytes = encodeMessage(operations.write.request, write)
  t.deepEqual(plain(decodeMessage(operations.write.request, bytes)), plain(write))
  const random = new SeededRandom(5)
  const samples = Array.from({ length: ROUNDS }, () =>
    encodeMessage(operations.register.request, messageSamples.register.request(random)),
  )
  const decode = (damaged: Uint8Array): unknown =>
    decodeMessage(operations.register.request, damaged)
  assertSurvivesDamage(t, 'register', { random, samples, decode })
  t.end()
})

test('votes refuse a change that cannot be read', t => {
  const request = cases.find(one => one.name === 'storage-vote request')!
  const bytes = toBytes(request, { base: 7, change: { kind: 'volume-deleted', volume: 1 } })
  const kind = bytes.length - 2
  t.equal(bytes[kind], 4, 'the kind of the change')
  bytes[kind] = 200
  t.throws(() => fromBytes(request, bytes), /malformed/)
  t.end()
})

test('a payload is a view on the bytes it came in', t => {
  const write = cases.find(one => one.name === 'write request')!
  const bytes = toBytes(write, write.sample(new SeededRandom(1)))
  const { payload } = fromBytes(write, bytes) as { readonly payload: Uint8Array }
  t.equal(payload.buffer, bytes.buffer)
  t.end()
})

test('damaged messages of all operations are refused as protocol errors', t => {
  for (const one of cases) {
    const random = new SeededRandom(12)
    const samples = Array.from({ length: ROUNDS }, () => toBytes(one, one.sample(random)))
    assertSurvivesDamage(t, one.name, { random, samples, decode: bytes => fromBytes(one, bytes) })
  }
  t.end()
})

test('a payload of a length that its message does not allow', t => {
  const random = new SeededRandom(2)
  const replicate = cases.find(one => one.name === 'replicate request')!
  const bytes = toBytes(replicate, replicate.sample(random))
  t.throws(() => fromBytes(replicate, bytes.subarray(0, -1)), /payload/, 'no whole blocks')
  const write = cases.find(one => one.name === 'write request')!
  const message = write.sample(random) as object
  t.throws(
    () => toBytes(write, { ...message, payload: new Uint8Array(0) }),
    /payload/,
    'ours: a bug',
  )
  t.end()
})
