-- /etc/haproxy/latchkey.lua: `http-request lua.latchkey` finds out who a visitor is, from latchkey. docs/proxies.md
-- Somebody who is signed in goes on, with the X-Auth headers set. Anybody else gets latchkey's answer: the way to the
-- sign-in page, 401, or 503 while nobody knows. No answer at all is 503, too.

local latchkey = ...
local timeout_ms = 10000

local passed_on = { "x-auth-user-id", "x-auth-session-id", "x-auth-email", "x-auth-email-verified", "x-auth-name" }
-- What the visitor's own connection decides, or HAProxy writes itself.
local not_returned = {
	["connection"] = true,
	["keep-alive"] = true,
	["transfer-encoding"] = true,
	["content-length"] = true,
}
local asked_with = { "cookie", "authorization", "accept", "accept-language", "user-agent", "sec-fetch-mode" }

local function outage(txn)
	local reply = txn:reply({ status = 503, reason = "Service Unavailable" })
	reply:add_header("Retry-After", "1")
	reply:add_header("Cache-Control", "no-store")
	reply:add_header("Content-Type", "text/plain")
	reply:set_body("Service Unavailable\n")
	txn:done(reply)
end

core.register_action("latchkey", { "http-req" }, function(txn)
	local sent = txn.http:req_get_headers()
	local headers = {
		["x-forwarded-for"] = { txn.f:src() },
		["x-forwarded-proto"] = { "https" },
		["x-forwarded-host"] = { txn.sf:req_hdr("host") },
		["x-forwarded-uri"] = { txn.f:pathq() },
		["x-forwarded-method"] = { txn.f:method() },
	}
	for _, name in ipairs(asked_with) do
		if sent[name] ~= nil then
			-- Over HTTP/2 cookies may come one by one.
			local separator = name == "cookie" and "; " or ", "
			local values = {}
			for at = 0, #sent[name] do
				values[#values + 1] = sent[name][at]
			end
			headers[name] = { table.concat(values, separator) }
		end
	end

	local answer = core.httpclient():get({
		url = latchkey .. "/api/auth/forward",
		headers = headers,
		timeout = timeout_ms,
	})
	-- Without an answer HAProxy's client says 503 or 504 of its own.
	if answer == nil or answer.status == nil or answer.headers == nil or answer.headers["x-request-id"] == nil then
		return outage(txn)
	end
	if answer.status ~= 200 then
		local reply = txn:reply({ status = answer.status, reason = answer.reason })
		for name, values in pairs(answer.headers) do
			if not not_returned[name] then
				for at = 0, #values do
					reply:add_header(name, values[at])
				end
			end
		end
		reply:set_body(answer.body or "")
		return txn:done(reply)
	end
	for _, name in ipairs(passed_on) do
		local values = answer.headers[name]
		if values ~= nil then
			txn.http:req_set_header(name, values[0])
		end
	end
end, 0)
