import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'tape'
import { MountRegistry } from '../../src/cli/mount-registry.js'
import { makeDirectory } from '../helpers/fuse-server.js'

test('mounts are found while their process lives', async t => {
  const folder = join(await makeDirectory(t), 'mounts')
  const registry = new MountRegistry({ folder })
  t.deepEqual(registry.list(), [])
  const removeB = registry.add({ mountPoint: '/mnt/b' })
  registry.add({ mountPoint: '/mnt/a', socket: '/run/x.sock' })
  t.deepEqual(
    registry.list().map(mount => [mount.mountPoint, mount.process.pid, mount.socket]),
    [
      ['/mnt/a', process.pid, '/run/x.sock'],
      ['/mnt/b', process.pid, undefined],
    ],
  )
  t.equal(registry.find('/mnt/b')?.process.pid, process.pid)
  t.equal(registry.find('/mnt/c'), null)
  removeB()
  t.equal(registry.find('/mnt/b'), null)
})

test('entries of dead processes are dropped', async t => {
  const folder = join(await makeDirectory(t), 'mounts')
  const registry = new MountRegistry({ folder })
  registry.add({ mountPoint: '/mnt/a' })
  registry.add({ mountPoint: '/mnt/b' })
  const [first = '', second = ''] = readdirSync(folder).map(name => join(folder, name))
  const child = spawn('true')
  await once(child, 'exit')
  rewrite(first, { pid: child.pid, started: '1' })
  rewrite(second, { pid: process.pid, started: 'of another process with this number' })
  writeFileSync(join(folder, 'half.json'), '{"mountPoint": "/mn')
  writeFileSync(join(folder, 'other.json'), '{"mountPoint": 7}')
  t.deepEqual(registry.list(), [])
  t.deepEqual(readdirSync(folder).sort(), ['half.json', 'other.json'], 'and their files')
})

function rewrite(path: string, mark: object): void {
  const entry = JSON.parse(readFileSync(path, 'utf8')) as object
  writeFileSync(path, JSON.stringify({ ...entry, process: mark }))
}
