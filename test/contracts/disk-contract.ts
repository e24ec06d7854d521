// What every Disk must do, whatever it is made of. Run on the real and on the simulated one.
import type { Test } from 'tape'
import test from 'tape'
import { isSwarmdiskError } from '../../src/base/errors.js'
import type { Disk, DiskFile } from '../../src/disk/disk.js'

export interface DiskUnderTest {
  readonly disk: Disk
  /** Settles a promise of the disk: virtual time must be made to pass. */
  readonly run: <T>(promise: Promise<T>) => Promise<T>
  readonly end: () => Promise<void>
}

type Body = (t: Test, disk: Disk) => Promise<void>

export function diskContract(name: string, make: () => Promise<DiskUnderTest>): void {
  for (const [title, body] of cases) {
    test(`${name}: ${title}`, async t => {
      const { disk, run, end } = await make()
      try {
        await run(body(t, disk))
      } finally {
        await end()
      }
    })
  }
}

async function created(disk: Disk, path: string): Promise<DiskFile> {
  return (await disk.open(path, 'create'))!
}

const cases: readonly (readonly [string, Body])[] = [
  [
    'a file is created, written, read and found again',
    async (t, disk) => {
      await disk.makeFolder('a/b')
      t.equal(await disk.open('a/b/x', 'existing'), null, 'there is none')
      const file = await created(disk, 'a/b/x')
      await file.write(bytes(10_000, 7), 5)
      t.equal(await file.size(), 10_005)
      await file.close()
      const again = (await disk.open('a/b/x', 'existing'))!
      const into = new Uint8Array(20_000)
      t.equal(await again.read(into, 0), 10_005, 'a short read at the end')
      t.deepEqual([into[4], into[5], into[10_004], into[10_005]], [0, 7, 7, 0])
      t.equal(await again.read(into, 10_005), 0, 'nothing at the end')
      t.equal(await (await created(disk, 'a/b/x')).size(), 10_005, 'create keeps what is there')
      await again.close()
    },
  ],
  [
    'files are sparse',
    async (t, disk) => {
      const file = await created(disk, 'sparse')
      await file.write(bytes(4096, 1), 1024 * 1024)
      await file.sync()
      t.equal(await file.size(), 1024 * 1024 + 4096)
      t.ok((await file.allocated()) <= 3 * 4096, 'holes take no space')
      const into = new Uint8Array(4096).fill(9)
      t.equal(await file.read(into, 4096), 4096)
      t.ok(
        into.every(byte => byte === 0),
        'holes read as zeroes',
      )
      await file.close()
    },
  ],
  [
    'a hole gives space back and reads as zeroes',
    async (t, disk) => {
      const file = await created(disk, 'x')
      await file.write(bytes(40 * 4096, 7), 0)
      await file.sync()
      const before = await file.allocated()
      t.ok(await file.punch(4096, 32 * 4096), 'it can')
      await file.sync()
      t.ok((await file.allocated()) <= before - 32 * 4096 + 4096, 'the space is back')
      const into = new Uint8Array(40 * 4096)
      t.equal(await file.read(into, 0), into.length, 'as long as before')
      const [first, inside, last] = [into[4095], into.subarray(4096, 33 * 4096), into[33 * 4096]]
      t.deepEqual([first, last], [7, 7], 'beside it nothing changed')
      t.ok(
        inside.every(byte => byte === 0),
        'zeroes',
      )
      await file.write(bytes(4096, 9), 4096)
      await file.read(into, 0)
      t.equal(into[4096], 9, 'and is written again')
      await file.close()
    },
  ],
  [
    'truncate cuts, and what comes after is zeroes',
    async (t, disk) => {
      const file = await created(disk, 'x')
      await file.write(bytes(10_000, 3), 0)
      await file.truncate(5000)
      await file.truncate(9000)
      const into = new Uint8Array(10_000)
      t.equal(await file.read(into, 0), 9000)
      t.deepEqual([into[4999], into[5000], into[8999]], [3, 0, 0])
      await file.close()
    },
  ],
  [
    'large writes and concurrent ones',
    async (t, disk) => {
      const file = await created(disk, 'x')
      const size = 700_000
      await Promise.all([0, 1, 2].map(i => file.write(bytes(size, i + 1), i * size)))
      await Promise.all([file.sync(), file.sync()])
      const into = new Uint8Array(size)
      await file.read(into, size)
      t.ok(into.every(byte => byte === 2))
      await file.close()
    },
  ],
  [
    'names: list, rename, remove',
    async (t, disk) => {
      t.deepEqual(await disk.list('none'), [], 'no folder, no names')
      await disk.makeFolder('d/e')
      await disk.makeFolder('d/e')
      const file = await created(disk, 'd/x')
      await file.write(bytes(3, 1), 0)
      await disk.rename('d/x', 'd/e/y')
      await disk.syncFolder('d')
      await disk.syncFolder('')
      t.deepEqual(await disk.list('d'), ['e'])
      t.deepEqual(await disk.list('d/e'), ['y'])
      await file.write(bytes(3, 2), 3)
      t.equal(await file.size(), 6, 'an open file survives its renaming')
      await file.close()
      await disk.rename('d', 'f')
      t.deepEqual(await disk.list('f/e'), ['y'], 'folders are renamed with what is in them')
      await disk.remove('f/e/y')
      await disk.remove('f/e/y')
      await disk.remove('f/e')
      t.deepEqual(await disk.list('f'), [])
      t.deepEqual(await disk.list(''), ['f'])
    },
  ],
  [
    'rename replaces',
    async (t, disk) => {
      for (const [name, value] of [['a', 1] as const, ['b', 2] as const]) {
        const file = await created(disk, name)
        await file.write(bytes(10, value), 0)
        await file.close()
      }
      await disk.rename('b', 'a')
      const file = (await disk.open('a', 'existing'))!
      const into = new Uint8Array(10)
      await file.read(into, 0)
      t.equal(into[0], 2)
      t.deepEqual(await disk.list(''), ['a'])
      await file.close()
    },
  ],
  [
    'links: one file under several names',
    async (t, disk) => {
      await disk.makeFolder('d')
      const file = await created(disk, 'a')
      await file.write(bytes(5000, 7), 0)
      const { inode, names } = await file.links()
      t.equal(names, 1, 'as it was made')
      await disk.link('a', 'd/b')
      await disk.syncFolder('d')
      const other = (await disk.open('d/b', 'existing'))!
      t.deepEqual(await other.links(), { inode, names: 2 }, 'the same file')
      t.deepEqual(await file.links(), { inode, names: 2 }, 'whoever asks')
      const into = new Uint8Array(5000)
      t.equal(await other.read(into, 0), 5000, 'and the same content')
      t.ok(into.every(byte => byte === 7))
      const again: unknown = await disk.link('a', 'd/b').catch((e: unknown) => e)
      t.ok(isSwarmdiskError(again, 'disk-error'), 'a name is given once')
      const none: unknown = await disk.link('none', 'd/c').catch((e: unknown) => e)
      t.ok(isSwarmdiskError(none, 'disk-error'), 'what is not there has no names')
      await disk.remove('a')
      t.deepEqual(await other.links(), { inode, names: 1 }, 'a name goes, the file stays')
      await other.write(bytes(1, 8), 0)
      const third = await created(disk, 'a')
      t.notEqual((await third.links()).inode, inode, 'another file')
      await disk.rename('a', 'd/b')
      t.deepEqual(await disk.list('d'), ['b'])
      t.equal((await third.links()).names, 1, 'a name that is replaced is of the new file')
      for (const one of [file, other, third]) await one.close()
    },
  ],
  [
    'errors have a code',
    async (t, disk) => {
      const error: unknown = await disk.open('no/such', 'create').catch((e: unknown) => e)
      t.ok(isSwarmdiskError(error, 'disk-error'))
      const rename: unknown = await disk.rename('no', 'where').catch((e: unknown) => e)
      t.ok(isSwarmdiskError(rename, 'disk-error'))
      await disk.makeFolder('full/x')
      const remove: unknown = await disk.remove('full').catch((e: unknown) => e)
      t.ok(isSwarmdiskError(remove, 'disk-error'), 'a folder that is not empty stays')
    },
  ],
  [
    'space',
    async (t, disk) => {
      const { total, free } = await disk.space()
      t.ok(total > 0 && free > 0 && free <= total)
    },
  ],
]

function bytes(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value)
}
