import test from 'tape'
import { FUSE_HANDLES_MAX } from '../../src/base/limits.js'
import { FileRefusal, type RefusalReason } from '../../src/fuse/errno.js'
import { FileOperations, refusalOfChange } from '../../src/fuse/file-operations.js'
import { MemoryDriver } from '../helpers/memory-driver.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

const SIZE = 3 * 4096

function make(): { driver: MemoryDriver; files: FileOperations; clock: VirtualClock } {
  const driver = new MemoryDriver({ a: SIZE, b: 2 ** 40 })
  const clock = new VirtualClock()
  return { driver, clock, files: new FileOperations({ driver, clock }) }
}

function refused(t: test.Test, work: () => unknown, reason: RefusalReason): void {
  try {
    work()
    t.fail(`refused: ${reason}`)
  } catch (error) {
    t.equal(error instanceof FileRefusal && error.reason, reason, `refused: ${reason}`)
  }
}

async function rejected(t: test.Test, work: Promise<unknown>, reason: string): Promise<void> {
  const error: unknown = await work.then(
    () => null,
    (caught: unknown) => caught,
  )
  const text = error instanceof FileRefusal ? error.reason : (error as { code?: string }).code
  t.equal(text, reason, `rejected: ${reason}`)
}

test('names and attributes', async t => {
  const { driver, files, clock } = make()
  t.deepEqual(files.list('/'), ['.snapshots', 'a.img', 'b.img'])
  t.deepEqual(files.list('/.snapshots'), [])
  const time = Date.parse('2026-01-01T00:00:00Z')
  t.deepEqual(files.attributes('/a.img'), {
    kind: 'file',
    permissions: 0o600,
    size: SIZE,
    links: 1,
    time,
  })
  t.equal(files.attributes('/b.img').size, 2 ** 40, 'sizes are true above 32 bits')
  t.equal(files.attributes('/').kind, 'directory')
  t.equal(files.attributes('/.snapshots').permissions, 0o555)
  for (const path of ['/c.img', '/a', '/a.img/x', '/.snapshots/x', '/.img', '/sub/a.img']) {
    refused(t, () => files.attributes(path), 'no-such-file')
  }
  refused(t, () => files.list('/a.img'), 'not-a-directory')
  await rejected(t, files.open('/', { write: false }), 'is-a-directory')
  t.deepEqual(files.space(), { bytes: SIZE + 2 ** 40, files: 2 })

  driver.add('c', 4096)
  driver.remove('a')
  await clock.advance(60_000)
  t.deepEqual(files.list('/'), ['.snapshots', 'b.img', 'c.img'], 'volumes come and go')
  await rejected(t, files.open('/a.img', { write: false }), 'no-such-file')
  t.equal(files.attributes('/c.img').time, time, 'times never change')
})

test('reads and writes at odd places, and at the end', async t => {
  const { files } = make()
  const handle = await files.open('/a.img', { write: true })
  t.equal(await files.write(handle, 4095, Buffer.from('across')), 6)
  const into = Buffer.alloc(8, 0xff)
  t.equal(await files.read(handle, 4094, into), 8)
  t.equal(into.toString('latin1'), '\0across\0')

  t.equal(await files.read(handle, SIZE - 3, into), 3, 'a read is cut at the end')
  t.equal(await files.read(handle, SIZE, into), 0)
  t.equal(await files.read(handle, SIZE + 10, into), 0)
  t.equal(await files.write(handle, SIZE - 2, Buffer.from('end')), 2, 'a write is cut at the end')
  await rejected(t, files.write(handle, SIZE, Buffer.from('x')), 'beyond-end')
  await rejected(t, files.write(handle, SIZE + 10, Buffer.from('x')), 'beyond-end')
  t.equal(await files.write(handle, SIZE, Buffer.alloc(0)), 0)
})

test('holes', async t => {
  const { driver, files } = make()
  const handle = await files.open('/a.img', { write: true })
  await files.write(handle, 0, Buffer.alloc(100, 'x'))
  await files.sync(handle)
  await files.zero(handle, { offset: 10, length: 20, keepSize: true })
  const into = Buffer.alloc(100)
  await files.read(handle, 0, into)
  t.ok(into.equals(Buffer.alloc(100, 'x').fill(0, 10, 30)))
  await files.zero(handle, { offset: SIZE - 5, length: 100, keepSize: true })
  await files.zero(handle, { offset: SIZE, length: 100, keepSize: true })
  t.equal(driver.counts().discardedBytes, 25, 'cut at the end')
  const longer = { offset: SIZE - 5, length: 100, keepSize: false }
  await rejected(t, files.zero(handle, longer), 'not-permitted')
  const { flushes } = driver.counts()
  await files.close(handle)
  t.equal(driver.counts().flushes, flushes + 1, 'flushed at close as a write is')
  const reader = await files.open('/a.img', { write: false })
  await rejected(t, files.zero(reader, { ...longer, keepSize: true }), 'bad-handle')
})

test('handles', async t => {
  const { driver, files } = make()
  const reader = await files.open('/a.img', { write: false })
  await rejected(t, files.write(reader, 0, Buffer.from('x')), 'bad-handle')
  await files.release(reader)
  await rejected(t, files.read(reader, 0, Buffer.alloc(1)), 'bad-handle')

  const handle = await files.open('/a.img', { write: true })
  driver.remove('a')
  await rejected(t, files.read(handle, 0, Buffer.alloc(1)), 'not-found')
  driver.add('a', SIZE)
  await rejected(t, files.read(handle, 0, Buffer.alloc(1)), 'not-found')
  await files.release(handle)

  const handles = await Promise.all(
    Array.from({ length: FUSE_HANDLES_MAX }, () => files.open('/b.img', { write: false })),
  )
  t.equal(new Set(handles).size, FUSE_HANDLES_MAX, 'no handle twice')
  await rejected(t, files.open('/b.img', { write: false }), 'too-many-open')
  await files.release(handles[7] ?? 0)
  t.ok(await files.open('/b.img', { write: false }), 'one was given back')
})

test('flushing', async t => {
  const { driver, files } = make()
  const handle = await files.open('/a.img', { write: true })
  await files.close(handle)
  t.equal(driver.counts().flushes, 0, 'nothing was written, nothing to flush at close')
  await files.sync(handle)
  t.equal(driver.counts().flushes, 1, 'fsync always asks: another handle may have written')
  await files.write(handle, 0, Buffer.from('x'))
  await files.close(handle)
  await files.close(handle)
  t.equal(driver.counts().flushes, 2, 'close flushes once what was written')
  await files.write(handle, 0, Buffer.from('y'))
  driver.fail('data-lost')
  await rejected(t, files.sync(handle), 'data-lost')
  driver.fail(null)
  await files.close(handle)
  t.equal(driver.counts().flushes, 4, 'after a failed fsync, close tries again')
})

test('a write that is answered after an fsync is flushed at close', async t => {
  const { driver, files } = make()
  const handle = await files.open('/a.img', { write: true })
  driver.hold()
  const written = files.write(handle, 0, Buffer.from('x'))
  const synced = files.sync(handle)
  driver.release()
  await Promise.all([written, synced])
  t.equal(driver.counts().flushes, 1)
  await files.close(handle)
  t.equal(driver.counts().flushes, 2)
})

test('who opens for writing has the volume until its last close', async t => {
  const { driver, files } = make()
  const reader = await files.open('/a.img', { write: false })
  t.equal(driver.claims.get('a') ?? 0, 0, 'reading needs nothing')
  await files.sync(reader)
  t.equal(driver.counts().flushes, 0, 'who only reads has nothing to flush')
  const one = await files.open('/a.img', { write: true })
  const two = await files.open('/a.img', { write: true })
  t.equal(driver.claims.get('a'), 2)
  await files.sync(reader)
  t.equal(driver.counts().flushes, 1, 'unless others write')
  await files.release(one)
  await files.release(reader)
  t.equal(driver.claims.get('a'), 1)
  await files.release(two)
  t.equal(driver.claims.get('a'), 0)

  driver.refuseAttach('in-use')
  await rejected(t, files.open('/a.img', { write: true }), 'in-use')
  t.equal(driver.claims.get('a'), 0)
  t.ok(await files.open('/a.img', { write: false }), 'reading goes on')
})

test('snapshots: one image each, which can only be read', async t => {
  const { driver, files } = make()
  const writer = await files.open('/a.img', { write: true })
  await files.write(writer, 0, Buffer.from('old'))
  driver.snapshot('a', 'monday')
  driver.snapshot('b', '1')
  driver.snapshot('a', 'friday')
  await files.write(writer, 0, Buffer.from('new'))
  t.deepEqual(files.list('/.snapshots'), ['a@friday.img', 'a@monday.img', 'b@1.img'])
  t.deepEqual(files.list('/'), ['.snapshots', 'a.img', 'b.img'])
  const path = '/.snapshots/a@monday.img'
  t.deepEqual(files.attributes(path), {
    ...{ kind: 'file', permissions: 0o400, size: SIZE, links: 1 },
    time: Date.parse('2026-02-03T04:05:06Z'),
  })
  const missing = [
    'a@x.img',
    'a@monday',
    'a.img',
    '@.img',
    'a@b@c.img',
    'a@monday.img/x',
    'c@1.img',
  ]
  for (const name of missing) {
    refused(t, () => files.attributes(`/.snapshots/${name}`), 'no-such-file')
  }
  refused(t, () => files.attributes('/a@monday.img'), 'no-such-file')
  refused(t, () => files.list(path), 'not-a-directory')
  await rejected(t, files.resize(path, SIZE), 'read-only')
  await rejected(t, files.open(path, { write: true }), 'read-only')
  await rejected(t, files.open('/.snapshots', { write: false }), 'is-a-directory')

  const handle = await files.open(path, { write: false })
  const into = Buffer.alloc(8)
  t.equal(await files.read(handle, 0, into), 8)
  t.equal(into.toString('latin1', 0, 3), 'old')
  t.equal(await files.read(handle, SIZE - 3, into), 3, 'cut at the end')
  await rejected(t, files.write(handle, 0, Buffer.from('x')), 'read-only')
  const { flushes } = driver.counts()
  await files.sync(handle)
  await files.close(handle)
  t.equal(driver.counts().flushes, flushes, 'there is nothing to flush')

  driver.deleteSnapshot('a', 'monday')
  t.deepEqual(files.list('/.snapshots'), ['a@friday.img', 'b@1.img'])
  refused(t, () => files.attributes(path), 'no-such-file')
  await rejected(t, files.open(path, { write: false }), 'no-such-file')
  await rejected(t, files.read(handle, 0, into), 'not-found')
  await files.release(handle)
  await files.release(writer)
})

test('what changes names says why not', t => {
  t.equal(refusalOfChange(['/x']).reason, 'not-permitted')
  t.equal(refusalOfChange(['/.snapshots']).reason, 'not-permitted', 'the directory itself')
  t.equal(refusalOfChange(['/.snapshots/x']).reason, 'read-only')
  t.equal(refusalOfChange(['/a.img', '/.snapshots/a@b.img']).reason, 'read-only')
  t.end()
})

test('sizes only grow, for who may write', async t => {
  const { driver, files } = make()
  driver.snapshot('a', 'before')
  driver.refuseAttach('in-use')
  await files.resize('/a.img', SIZE)
  t.pass('the same size is nobody’s business')
  await rejected(t, files.resize('/a.img', SIZE + 4096), 'in-use')
  t.equal(files.attributes('/a.img').size, SIZE)
  driver.refuseAttach(null)
  await rejected(t, files.resize('/a.img', 0), 'not-permitted')
  await rejected(t, files.resize('/a.img', SIZE - 4096), 'not-permitted')
  await rejected(t, files.resize('/a.img', SIZE + 1), 'bad-input')
  await rejected(t, files.resize('/c.img', 0), 'no-such-file')
  await rejected(t, files.resize('/.snapshots', 0), 'is-a-directory')
  t.equal(driver.claims.get('a'), 0, 'what was refused keeps no access')

  const handle = await files.open('/a.img', { write: true })
  const block = Buffer.alloc(4096, 7)
  await rejected(t, files.write(handle, SIZE, block), 'beyond-end')
  await files.resize('/a.img', SIZE + 4096)
  t.equal(files.attributes('/a.img').size, SIZE + 4096)
  t.equal(await files.read(handle, SIZE, block), 4096, 'who has it open reads on')
  t.deepEqual(block, Buffer.alloc(4096), 'zeroes')
  t.equal(await files.write(handle, SIZE, Buffer.from('new')), 3, 'and writes')
  t.equal(files.attributes('/.snapshots/a@before.img').size, SIZE, 'a snapshot does not grow')
  t.equal(driver.claims.get('a'), 1, 'only the handle has it')
  await files.release(handle)
})
