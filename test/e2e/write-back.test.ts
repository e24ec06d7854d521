// A mount with a write-back cache: a file system on it, a storage server killed under a verified
// load, and the mount killed: what was flushed is there.
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import test from 'tape'
import { TestCluster } from './cluster.js'
import { eventually, mustRun, runTool } from './tools.js'

const BLOCK_BYTES = 4096
const CACHE = ['--cache', 'writeback']

async function firstByte(path: string, block: number): Promise<number> {
  const dd = `dd if=${path} bs=4096 count=1 skip=${block} iflag=direct status=none`
  return Number(await mustRun('sh', ['-c', `${dd} | od -An -tu1 -N1`]))
}

test('a cache: verified while a server fails, and flushed when the mount is killed', async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', '128M', '--replicas', '3'])
  const refused = await cluster.run(['mount', cluster.mountPointOf('mount'), ...CACHE, '--shared'])
  t.equal(refused.code, 2, 'not for a shared volume')
  t.match(refused.stderr, /Other --shared mounts would not see/)

  await cluster.startMount(CACHE)
  const device = await cluster.attach()
  const load = [
    ...['--name=load', `--filename=${device}`, '--size=64M', '--rw=randrw', '--bs=4k'],
    ...['--ioengine=libaio', '--direct=1', '--iodepth=16', '--fsync=64', '--verify=crc32c'],
    ...['--verify_fatal=1', '--verify_state_save=0', '--time_based', '--runtime=6'],
  ]
  const fio = runTool('fio', load)
  const writes = async (): Promise<number> => {
    const { servers } = await cluster.status()
    return servers.reduce((sum, { served }) => sum + served.writes, 0)
  }
  await eventually('the servers have got something', async () => (await writes()) > 100)
  await cluster.kill('b')
  const done = await fio
  t.equal(done.code, 0, `fio verifies: ${done.stderr}`)
  await cluster.startServer('b')
  await mustRun('mkfs.ext4', ['-q', '-F', device])
  t.equal((await runTool('e2fsck', ['-fn', device])).code, 0, 'a file system is clean')
  await cluster.json(['detach', device])

  const file = await open(cluster.image('data'), constants.O_RDWR | constants.O_DIRECT)
  for (const block of [1, 2]) {
    await file.write(Buffer.alloc(BLOCK_BYTES, 40 + block), 0, BLOCK_BYTES, block * BLOCK_BYTES)
    if (block === 1) await file.sync()
  }
  t.equal(await firstByte(cluster.image('data'), 2), 42, 'what is in memory is read')
  await cluster.kill('mount')
  await file.close().catch(() => undefined)
  await cluster.startMount([], 'mount-2')
  t.equal(await firstByte(cluster.image('data', 'mount-2'), 1), 41, 'what was flushed is there')
  t.end()
})
