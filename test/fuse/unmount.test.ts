import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'tape'
import { prepareMountPoint } from '../../src/fuse/mount-point.js'
import { unmountMount } from '../../src/fuse/unmount.js'
import { failure } from '../contracts/fuse-unmount-contract.js'
import { host, makeDirectory, startFuseServer } from '../helpers/fuse-server.js'

const MiB = 1024 * 1024

test('directories that cannot take a mount', { timeout: 60_000 }, async t => {
  const folder = await makeDirectory(t)
  const full = join(folder, 'full')
  await mkdir(full)
  await writeFile(join(full, 'file'), '')
  const server = await startFuseServer(t, { a: MiB })
  for (const [path, expected, words] of [
    [join(folder, 'missing'), 'not-found', /mkdir -p/],
    [join(folder, 'missing/too'), 'not-found', /no directory/],
    [join(full, 'file'), 'bad-input', /not a directory/],
    [full, 'bad-input', /not empty/],
    ['/proc', 'in-use', /a mount already \(proc\)/],
    [server.directory, 'in-use', /a mount already \(fuse.swarmdisk\)/],
  ] as const) {
    const [code, message] = await failure(prepareMountPoint(host, path))
    t.equal(code, expected, path)
    t.match(message, words)
  }
  t.equal((await failure(unmountMount(host, '/proc', { abort: true })))[0], 'bad-input')
  const fine = join(folder, 'fine')
  await mkdir(fine)
  t.equal(await prepareMountPoint(host, `${fine}/`), fine)
})
