// Exports and raw images through the driver, against scripted servers: what a snapshot shows is in
// the stream, holes are not, and no more is read at once than the limit.
import test from 'tape'
import { byteCount, byteOffset, type ByteOffset } from '../../../src/base/brands.js'
import { SwarmdiskError } from '../../../src/base/errors.js'
import { TRANSFER_PIECE_BYTES, TRANSFER_PIECES_AT_ONCE } from '../../../src/base/limits.js'
import { ExportDecoder, type ExportItem } from '../../../src/client/transfer/export-decoder.js'
import { exportSnapshot, findSnapshot } from '../../../src/client/transfer/export-snapshot.js'
import { readParts, runsOf, WritesAtOnce } from '../../../src/client/transfer/pieces.js'
import { importImage } from '../../../src/client/transfer/raw-image.js'
import { importMark } from '../../../src/snapshot/identity.js'
import { codeOf, filled, ScriptedCluster } from '../scripted-cluster.js'

const BLOCK = 4096
const MiB = 1024 * 1024

async function write(cluster: ScriptedCluster, at: number, length: number, value: number) {
  const written = cluster.open().write(byteOffset(at), filled(length, value))
  await cluster.clock.settle('write', written)
}

function exported(cluster: ScriptedCluster, to: string, from: string | null) {
  const find = (name: string) => findSnapshot(cluster.configuration, { volume: 'data', name })
  return exportSnapshot(cluster.driver, cluster.configuration, {
    to: find(to),
    from: from === null ? null : find(from),
  })
}

async function itemsOf(cluster: ScriptedCluster, to: string, from: string | null) {
  const decoder = new ExportDecoder()
  const items: ExportItem[] = []
  const collect = async (): Promise<void> => {
    for await (const bytes of exported(cluster, to, from).stream(() => undefined)) {
      items.push(...decoder.push(bytes))
    }
  }
  await cluster.clock.settle('export', collect())
  decoder.finish()
  return items.map(item => {
    if (item.kind === 'header') return `${item.identity.slice(32)} ${item.from?.slice(32) ?? '-'}`
    if (item.kind === 'zeroes') return `${item.offset / BLOCK}+${item.length / BLOCK}z`
    return `${item.offset / BLOCK}+${item.content.length / BLOCK}=${item.content[0]}`
  })
}

test('a full stream and an increment', async t => {
  const cluster = new ScriptedCluster()
  await write(cluster, 0, BLOCK, 1)
  await write(cluster, 4 * MiB, 2 * BLOCK, 2)
  await write(cluster, 8 * BLOCK, BLOCK, 0)
  cluster.snapshot('a')
  cluster.push()
  await write(cluster, 0, BLOCK, 0)
  await write(cluster, 4 * MiB + BLOCK, 2 * BLOCK, 3)
  cluster.snapshot('b')
  cluster.push()
  t.deepEqual(await itemsOf(cluster, 'a', null), ['/1/1 -', '0+1=1', '1024+2=2'])
  t.deepEqual(await itemsOf(cluster, 'b', 'a'), ['/1/2 /1/1', '0+1z', '1025+2=3'])
  t.deepEqual(await itemsOf(cluster, 'a', 'b'), ['/1/1 /1/2', '0+1=1', '1025+1=2', '1026+1z'])
  t.deepEqual(await itemsOf(cluster, 'b', 'b'), ['/1/2 /1/2'])
})

test('a snapshot of before the volume grew, and one of after', async t => {
  const cluster = new ScriptedCluster()
  await write(cluster, 0, BLOCK, 1)
  cluster.snapshot('a')
  cluster.grow(80 * MiB)
  cluster.push()
  await write(cluster, 80 * MiB - BLOCK, BLOCK, 2)
  cluster.snapshot('b')
  cluster.push()
  await write(cluster, 80 * MiB - BLOCK, BLOCK, 3)
  const sizes = cluster.driver.snapshots().map(({ name, size }) => [name, size])
  t.deepEqual(sizes, [
    ['a', 64 * MiB],
    ['b', 80 * MiB],
  ])
  t.equal(exported(cluster, 'a', null).header.size, 64 * MiB)
  t.equal(exported(cluster, 'b', 'a').header.size, 80 * MiB)
  t.deepEqual(await itemsOf(cluster, 'a', null), ['/1/1 -', '0+1=1'])
  t.deepEqual(await itemsOf(cluster, 'b', null), ['/1/2 -', '0+1=1', '20479+1=2'])
  t.deepEqual(await itemsOf(cluster, 'b', 'a'), ['/1/2 /1/1', '20479+1=2'])
  t.deepEqual(await itemsOf(cluster, 'a', 'b'), ['/1/1 /1/2'], 'back: there is no such block')
  const end = new Uint8Array(BLOCK)
  const read = cluster.driver.openSnapshot('data', 'a')!.read(byteOffset(64 * MiB - BLOCK), end)
  await cluster.clock.settle('read', read)
  t.ok(end.every(byte => byte === 0))
})

test('a snapshot that is not there, or that goes meanwhile, or that is a mark', async t => {
  const cluster = new ScriptedCluster()
  await write(cluster, 0, BLOCK, 1)
  cluster.snapshot('a')
  cluster.push()
  const find = (name: string) => () => exported(cluster, name, null)
  t.throws(find('b'), /no snapshot "b"/)
  const made = exported(cluster, 'a', null).stream(() => undefined)
  await made.next()
  cluster.deleteSnapshot('a')
  cluster.push()
  t.equal(await cluster.clock.settle('rest', codeOf(made.next())), 'not-found')
  cluster.snapshot('importing')
  const [volume] = cluster.configuration.volumes.values()
  const marked = volume!.snapshots.map(one => ({ ...one, source: importMark(null) }))
  const volumes = new Map([[volume!.id, { ...volume!, snapshots: marked }]])
  cluster.configuration = { ...cluster.configuration, volumes }
  t.throws(find('importing'), /mark of an import/)
})

test('parts come in order, and a bounded number is read at once', async t => {
  let [running, most] = [0, 0]
  const reader = {
    async read(offset: ByteOffset, into: Uint8Array): Promise<void> {
      most = Math.max(most, ++running)
      for (let i = 0; i < 5; i++) await Promise.resolve()
      running--
      into.fill((offset / TRANSFER_PIECE_BYTES) % 2)
    },
  }
  async function* ranges() {
    await Promise.resolve()
    yield { offset: byteOffset(0), length: byteCount(100 * TRANSFER_PIECE_BYTES), zeroes: false }
    yield { offset: byteOffset(2 ** 40), length: byteCount(2 ** 30), zeroes: true }
  }
  const parts = []
  for await (const part of readParts(reader, ranges())) parts.push(part)
  t.deepEqual(
    parts.slice(0, -1).map(({ offset }) => offset),
    Array.from({ length: 100 }, (_, i) => i * TRANSFER_PIECE_BYTES),
  )
  t.ok(parts.every(({ content }, i) => (content === null) === (i === 100 || i % 2 === 0)))
  t.ok(most > 1 && most <= TRANSFER_PIECES_AT_ONCE, `${most} at once`)
})

test('runs of zeroes and of others', t => {
  const content = Buffer.concat([filled(2 * BLOCK, 1), filled(BLOCK, 0), filled(BLOCK, 2)])
  content[BLOCK] = 0
  const runs = runsOf(100 * BLOCK, content).map(part => {
    return [part.offset / BLOCK, part.length / BLOCK, part.content === null]
  })
  t.deepEqual(runs, [
    [100, 2, false],
    [102, 1, true],
    [103, 1, false],
  ])
  t.end()
})

test('the first write that fails ends those that follow', async t => {
  const writes = new WritesAtOnce()
  const full = new SwarmdiskError('disk-full', 'The disk is full.')
  await writes.add(Promise.resolve())
  const failing = writes.add(Promise.reject(full))
  t.equal(await codeOf(failing.then(() => writes.ended())), 'disk-full')
  t.equal(await codeOf(writes.ended()), 'disk-full', 'for good')
})

test('a raw image: zeroes are skipped, the last block filled up, too much refused', async t => {
  const cluster = new ScriptedCluster()
  async function* image(length: number) {
    await Promise.resolve()
    const bytes = Buffer.alloc(length)
    bytes.fill(1, 0, BLOCK)
    bytes.fill(2, length - 1)
    for (let at = 0; at < length; at += 10_000) yield bytes.subarray(at, at + 10_000)
  }
  const volume = cluster.open()
  const run = (length: number) => {
    const imported = importImage(volume, image(length), () => undefined)
    return cluster.clock.settle('import', imported)
  }
  t.deepEqual(await run(MiB + 1), { read: MiB + 1, written: 2 * BLOCK })
  const sent = cluster.log.filter(({ kind }) => kind === 'write')
  t.deepEqual(
    sent.map(({ offset, length }) => [offset, length]),
    [
      [0, BLOCK],
      [MiB, BLOCK],
    ],
  )
  t.deepEqual(cluster.servers.content(0, MiB, 2), Uint8Array.from([2, 0]))
  t.equal(await codeOf(run(64 * MiB + 1)), 'bad-input')
})
