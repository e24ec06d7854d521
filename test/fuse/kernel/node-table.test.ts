import test from 'tape'
import { NodeTable } from '../../../src/fuse/kernel/node-table.js'

test('a name has the same number for good', t => {
  const nodes = new NodeTable()
  t.equal(nodes.path(1), '/')
  t.equal(nodes.numberOf('/'), 1)
  const number = nodes.numberOf('/a.img')
  t.equal(nodes.path(number), null, 'asking for it makes nothing known')
  t.equal(nodes.lookUp('/a.img'), number)
  t.equal(nodes.path(number), '/a.img')
  t.equal(new NodeTable().lookUp('/a.img'), number, 'in another mount, too')
  const many = Array.from({ length: 20_000 }, (_, i) => nodes.lookUp(`/volume-${i}.img`))
  t.equal(new Set(many).size, many.length, 'and shares it with none')
  t.ok(
    many.every(node => Number.isSafeInteger(node) && node > 1),
    'all exact',
  )
  t.end()
})

test('forgotten as often as looked up', t => {
  const nodes = new NodeTable()
  const a = nodes.lookUp('/a.img')
  nodes.lookUp('/a.img')
  nodes.lookUp('/a.img')
  nodes.forget(a, 2)
  t.equal(nodes.path(a), '/a.img', 'known once more')
  nodes.forget(a, 1)
  t.equal(nodes.path(a), null)
  t.equal(nodes.size, 0, 'nothing is left')
  nodes.forget(a, 1)
  nodes.forget(1, 100)
  nodes.forget(2 ** 60, 1)
  t.equal(nodes.path(1), '/', 'the root stays')
  t.equal(nodes.lookUp('/a.img'), a, 'its number as before')
  t.end()
})
