import { deepEqual } from 'node:assert/strict'
import { brokenLinksOf } from '../consumer/links.mjs'
import { pagesOfDocs, ROOT } from '../support/doc-blocks.ts'

describe('The links of the guides', () => {
  for (const page of pagesOfDocs().filter((path) => path.startsWith('docs/guides/'))) {
    it(`lead to files and headings: ${page}`, async () => {
      deepEqual(await brokenLinksOf(ROOT, page), [])
    })
  }
})
