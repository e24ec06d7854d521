// The stream of an exported snapshot: what goes in comes out, however it is cut; and whatever is
// damaged, cut off, moved or too new is refused with one sentence before its end.
import test from 'tape'
import { isSwarmdiskError, type SwarmdiskError } from '../../../src/base/errors.js'
import { ExportDecoder, type ExportItem } from '../../../src/client/transfer/export-decoder.js'
import { ExportEncoder } from '../../../src/client/transfer/export-format.js'
import { SeededRandom } from '../../simulator/seeded-random.js'

const BLOCK = 4096
const SIZE = 1024 * BLOCK
const HEADER = { size: SIZE, identity: 'c/1/5', name: 'tuesday', from: 'c/1/3' }

function sample(random: SeededRandom): { readonly items: ExportItem[]; readonly parts: Buffer[] } {
  const encoder = new ExportEncoder()
  const items: ExportItem[] = [{ kind: 'header', ...HEADER }]
  const parts = [Buffer.from(encoder.header(HEADER))]
  for (let block = random.below(4); block < 40; block += 1 + random.below(4)) {
    const offset = block * BLOCK
    if (random.chance(0.3)) {
      items.push({ kind: 'zeroes', offset, length: BLOCK })
      parts.push(Buffer.from(encoder.zeroes(offset, BLOCK)))
    } else {
      const content = random.bytes(BLOCK)
      items.push({ kind: 'data', offset, content })
      parts.push(Buffer.concat(encoder.data(offset, content)))
    }
  }
  parts.push(Buffer.from(encoder.end()))
  if (encoder.bytes !== Buffer.concat(parts).length) throw new Error('bytes are miscounted')
  return { items, parts }
}

function decoded(bytes: Uint8Array, cut: () => number = () => bytes.length): ExportItem[] {
  const decoder = new ExportDecoder()
  const items: ExportItem[] = []
  for (let at = 0; at < bytes.length;) {
    const part = Math.max(1, cut())
    items.push(...decoder.push(bytes.subarray(at, at + part)))
    at += part
  }
  decoder.finish()
  return items
}

function failure(bytes: Uint8Array): SwarmdiskError | null {
  try {
    decoded(bytes)
    return null
  } catch (error) {
    if (isSwarmdiskError(error)) return error
    throw error
  }
}

const plain = (items: readonly ExportItem[]): unknown =>
  items.map(item =>
    item.kind === 'data' ? { ...item, content: Buffer.from(item.content).toString('hex') } : item,
  )

test('what goes in comes out, in pieces of any length', t => {
  const random = new SeededRandom(1)
  for (let i = 0; i < 10; i++) {
    const { items, parts } = sample(random)
    const cut = (): number => random.below(random.pick([2, 50, 9000]))
    t.deepEqual(plain(decoded(Buffer.concat(parts), cut)), plain(items))
  }
  t.end()
})

test('a stream that was cut off anywhere says so', t => {
  const { parts } = sample(new SeededRandom(2))
  const bytes = Buffer.concat(parts)
  const random = new SeededRandom(3)
  const places = [0, 1, 15, 16, bytes.length - 1, ...parts.map(part => part.length)]
  for (let i = 0; i < 100; i++) places.push(random.below(bytes.length))
  const wrong = places.filter(at => {
    const found = failure(bytes.subarray(0, at))
    return found?.code !== 'corrupt' || !/cut off/.test(found.message)
  })
  t.deepEqual(wrong, [])
  t.end()
})

test('no flipped bit gets through', t => {
  const { parts } = sample(new SeededRandom(4))
  const bytes = Buffer.concat(parts)
  const random = new SeededRandom(5)
  const headerAndLast = [...Array(80).keys()].flatMap(i => [i, bytes.length - 1 - i])
  const places = [
    ...headerAndLast,
    ...Array.from({ length: 400 }, () => random.below(bytes.length)),
  ]
  const unnoticed = places.filter(at => {
    const damaged = Buffer.from(bytes)
    damaged[at] = damaged[at]! ^ (1 << random.below(8))
    const found = failure(damaged)
    return found === null || !/^[A-Z].*\.$/.test(found.message)
  })
  t.deepEqual(unnoticed, [])
  t.end()
})

test('random bytes behind a good header end with a sentence, and cost no memory', t => {
  const random = new SeededRandom(6)
  const header = Buffer.from(new ExportEncoder().header(HEADER))
  const survived = Array.from({ length: 200 }, () =>
    failure(Buffer.concat([header, random.bytes(1 + random.below(300))])),
  ).filter(found => found === null)
  t.equal(survived.length, 0)
  t.end()
})

test('records that were moved, left out or repeated', t => {
  const { parts } = sample(new SeededRandom(7))
  const [header, first, second, ...rest] = parts as [Buffer, Buffer, Buffer, ...Buffer[]]
  const without = failure(Buffer.concat([header, second, ...rest]))
  t.match(without?.message ?? '', /records are missing/)
  const moved = failure(Buffer.concat([header, second, first, ...rest]))
  t.match(moved?.message ?? '', /out of order/)
  const twice = failure(Buffer.concat([header, first, first, second, ...rest]))
  t.match(twice?.message ?? '', /out of order/)
  const other = sample(new SeededRandom(8)).parts
  const end = failure(Buffer.concat([...parts.slice(0, -1), other.at(-1)!]))
  t.equal(end?.code, 'corrupt', 'the end of another stream')
  t.end()
})

test('something else, another version, and what follows the end', t => {
  const { parts } = sample(new SeededRandom(9))
  const bytes = Buffer.concat(parts)
  const text = failure(Buffer.from('{"error":{"code":"not-found"}}'))
  t.deepEqual([text?.code, /no exported snapshot/.test(text?.message ?? '')], ['bad-input', true])
  const newer = Buffer.from(bytes)
  newer.writeUInt32LE(2, 8)
  t.match(failure(newer)?.message ?? '', /format 2, this release knows 1/)
  t.match(failure(Buffer.concat([bytes, Buffer.from([0])]))?.message ?? '', /follows its end/)
  t.match(failure(Buffer.concat([bytes, bytes]))?.message ?? '', /follows its end/)
  t.end()
})

test('a record outside of the volume', t => {
  const encoder = new ExportEncoder()
  const small = { ...HEADER, size: 2 * BLOCK }
  const parts = [encoder.header(small), encoder.zeroes(BLOCK, 2 * BLOCK), encoder.end()]
  t.match(failure(Buffer.concat(parts))?.message ?? '', /outside of the volume/)
  t.throws(() => new ExportEncoder().zeroes(1, BLOCK), /whole blocks/, 'ours: a bug')
  t.end()
})
