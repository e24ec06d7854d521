import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'tape'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { SYNCHRONOUS_WRITE_BYTES } from '../../src/base/limits.js'
import type { DiskFile } from '../../src/disk/disk.js'
import { NodeDisk } from '../../src/disk/node-disk.js'
import { diskContract } from '../contracts/disk-contract.js'

async function withFolder<T>(body: (root: string) => Promise<T>): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), 'swarmdisk-node-disk-'))
  try {
    return await body(root)
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

diskContract('NodeDisk', async () => {
  const root = await mkdtemp(join(tmpdir(), 'swarmdisk-node-disk-'))
  return {
    disk: new NodeDisk({ root }),
    run: promise => promise,
    end: () => rm(root, { recursive: true, force: true }),
  }
})

test('descriptors are bounded, and files work when theirs was taken away', async t => {
  await withFolder(async root => {
    const disk = new NodeDisk({ root, openFiles: 3 })
    const files = await Promise.all(
      Array.from({ length: 10 }, (_, i) => disk.open(`f${i}`, 'create')),
    )
    for (const [i, file] of files.entries()) await file!.write(Uint8Array.of(i), 0)
    t.ok((await descriptorsBelow(root)) <= 3, 'no more than allowed')
    await disk.rename('f0', 'moved')
    const into = new Uint8Array(1)
    for (const [i, file] of files.entries()) {
      await file!.read(into, 0)
      t.equal(into[0], i)
      await file!.sync()
    }
    await Promise.all(files.map(file => file!.close()))
    t.equal(await descriptorsBelow(root), 0, 'all closed')
  })
})

test('a descriptor that is used stays, one that is not goes', async t => {
  await withFolder(async root => {
    const disk = new NodeDisk({ root, openFiles: 3 })
    const open = async (name: string): Promise<DiskFile> => (await disk.open(name, 'create'))!
    const files = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(open))
    const write = (i: number): boolean => files[i]!.writeNow(Uint8Array.of(i), 0)
    for (const i of [0, 1, 2, 3]) t.ok(write(i))
    t.deepEqual(await openBelow(root), ['b', 'c', 'd'], 'all were used: the oldest went')
    t.ok(write(1))
    t.ok(write(4))
    t.deepEqual(await openBelow(root), ['b', 'd', 'e'], 'c was not used since')
    await Promise.all(files.map(file => file.close()))
  })
})

test('long data is not written at once', async t => {
  await withFolder(async root => {
    const file = await new NodeDisk({ root }).open('x', 'create')
    t.notOk(file!.writeNow(new Uint8Array(SYNCHRONOUS_WRITE_BYTES + 1), 0))
    t.equal(await file!.size(), 0, 'nothing of it')
    t.ok(file!.writeNow(new Uint8Array(SYNCHRONOUS_WRITE_BYTES), 0))
    t.equal(await file!.size(), SYNCHRONOUS_WRITE_BYTES)
    await file!.close()
    t.throws(() => file!.writeNow(new Uint8Array(1), 0), /is open/)
  })
})

test('files are private, paths stay inside', async t => {
  await withFolder(async root => {
    const disk = new NodeDisk({ root })
    await disk.makeFolder('d')
    const file = await disk.open('d/x', 'create')
    await file!.close()
    t.equal((await stat(join(root, 'd/x'))).mode & 0o777, 0o600)
    t.equal((await stat(join(root, 'd'))).mode & 0o777, 0o700)
    await disk.open('../x', 'create').then(
      () => t.fail('went outside'),
      () => t.pass('refused'),
    )
  })
})

test('a full disk is disk-full', async t => {
  // /dev/full fails every write with ENOSPC: a real kernel, no real disk filled.
  const disk = new NodeDisk({ root: '/dev' })
  const file = await disk.open('full', 'existing')
  const error: unknown = await file!.write(new Uint8Array(10), 0).catch((e: unknown) => e)
  t.ok(isSwarmdiskError(error, 'disk-full'))
  try {
    file!.writeNow(new Uint8Array(10), 0)
    t.fail('it was written')
  } catch (thrown) {
    t.ok(isSwarmdiskError(thrown, 'disk-full'), 'also at once')
  }
  await file!.close()
})

async function descriptorsBelow(root: string): Promise<number> {
  return (await openBelow(root)).length
}

/** Names, sorted. */
async function openBelow(root: string): Promise<readonly string[]> {
  const links = await readdir('/proc/self/fd')
  const { readlink } = await import('node:fs/promises')
  const targets = await Promise.all(
    links.map(fd => readlink(`/proc/self/fd/${fd}`).catch(() => 'closed meanwhile')),
  )
  const below = targets.filter(path => path.startsWith(`${root}/`))
  return below.map(path => path.slice(root.length + 1)).sort()
}

test('a file is what was written', async t => {
  await withFolder(async root => {
    const disk = new NodeDisk({ root })
    const file = await disk.open('x', 'create')
    await file!.write(Buffer.from('hello'), 0)
    await file!.close()
    t.equal(await readFile(join(root, 'x'), 'utf8'), 'hello')
  })
})
